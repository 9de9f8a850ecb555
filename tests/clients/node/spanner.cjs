// Spanner's Node client, unmodified: credentials are external_account files, TLS trusts NODE_EXTRA_CA_CERTS. What each case must give
// stands in ../spanner_cases.py, for every language the same.
const { MutationSet, Spanner, v1 } = require("@google-cloud/spanner");
const { grpc } = require("google-gax");
const { attempt, collect, refused, run } = require("./telling.cjs");

// --- values ------------------------------------------------------------------------------------------------------------------

// INT64 is a JSON number of all its digits, BYTES base64; DATE and TIMESTAMP are as Spanner writes them.
function plain(value) {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (Buffer.isBuffer(value)) return value.toString("base64");
  switch (value.constructor.name) {
    case "Int": return JSON.rawJSON(value.value);
    case "Float": return Number.isFinite(value.value) ? value.value : String(value.value);
    case "SpannerDate": return value.toJSON();
    case "PreciseDate": return value.toISOString();
    default: throw new Error(`a value of kind ${value.constructor.name}`);
  }
}

const plainRows = (rows) => rows.map((row) => row.map((field) => plain(field.value)));
const number = (value) => Number(value.value);

async function query(runner, sql, ...more) {
  const [rows] = await runner.run(typeof sql === "string" ? { sql } : sql, ...more);
  return plainRows(rows);
}

const singers = (runner, ...more) => query(runner, "SELECT SingerId, Name, Salary FROM Singers ORDER BY SingerId", ...more);

async function write(database, ...changes) {
  const set = new MutationSet();
  for (const [kind, table, rows] of changes) set[kind](table, rows);
  const [commit] = await database.writeAtLeastOnce(set, {});
  return Spanner.timestamp(commit.commitTimestamp);
}

const named = (rows) => rows.map(([SingerId, Name, Salary]) => ({ SingerId, Name, Salary: Salary ?? null }));

// Singers becomes these rows. Answers when that was committed.
async function only(database, ...rows) {
  const there = await query(database, "SELECT SingerId FROM Singers");
  const left = there.map(([id]) => [id.rawJSON]);
  return write(database, ...(left.length ? [["deleteRows", "Singers", left]] : []), ...(rows.length ? [["insert", "Singers", named(rows)]] : []));
}

async function salary(transaction, singer) {
  const [rows] = await transaction.read("Singers", { columns: ["Salary"], keys: [[singer]] });
  return number(rows[0][0].value);
}

const transact = (database, work) => database.runTransactionAsync(async (transaction) => {
  const value = await work(transaction);
  await transaction.commit();
  return value;
});

// Of itself the client asks twice more, over seven seconds, when a stream ends before anything was answered.
const ONCE = { retryRequestOptions: { noResponseRetries: 0 } };

// --- cases -------------------------------------------------------------------------------------------------------------------

async function makes_a_database(place) {
  const { ask, service, path, instance } = place, parent = instance.formattedName_;
  const create = () => service.createDatabase({ parent, createStatement: `CREATE DATABASE \`${ask.database}\``, extraStatements: ask.ddl });
  const [operation] = await create();
  await operation.promise();
  place.open();
  const [change] = await service.updateDatabaseDdl({ database: path, statements: ["CREATE TABLE Later (A INT64) PRIMARY KEY (A)"] });
  await change.promise();
  const [ddl] = await service.getDatabaseDdl({ database: path });
  const [listed] = await service.listDatabases({ parent });
  const bad = await refused(async () => {
    const [late] = await service.updateDatabaseDdl({ database: path, statements: ["CREATE TABLE Later (A INT64) PRIMARY KEY (A)"] });
    await late.promise();
  });
  return { tables: ddl.statements.map((text) => text.split(/\s+/)[2]), listed: listed.some((row) => row.name === path), again: await refused(create), bad };
}

async function mutates({ database }) {
  await only(database, [1, "a", 10], [2, "b", 20], [3, "c", 30], [4, "d", 40]);
  await transact(database, async (transaction) => {
    transaction.update("Singers", { SingerId: 1, Name: "A" });
    transaction.upsert("Singers", [{ SingerId: 2, Name: "B" }, { SingerId: 5, Name: "E" }]);
    transaction.replace("Singers", { SingerId: 3, Name: "C" });
    transaction.deleteRows("Singers", [4]);
  });
  return singers(database);
}

async function keeps_every_type({ database }) {
  await only(database);
  const row = (SingerId, Name, Score, Born, Updated, Active, Picture) => ({ SingerId, Name, Score, Born, Updated, Active, Picture });
  await write(database, ["insert", "Singers", [
    row(1, "Ünïcode \u{1f600}", 1.5, Spanner.date("1969-12-31"), Spanner.timestamp("2026-01-02T03:04:05.678901234Z"), true, Buffer.from([0, 255])),
    row(2, "", Spanner.float(Infinity), Spanner.date("0001-01-01"), Spanner.timestamp("9999-12-31T23:59:59.999999999Z"), false, Buffer.alloc(0)),
    row(3, null, null, null, null, null, null), row(Spanner.int("9223372036854775807"), "most", Spanner.float(NaN), null, null, null, null),
    row(Spanner.int("-9223372036854775808"), "least", Spanner.float(-Infinity), null, null, null, null)]]);
  const [rows] = await database.table("Singers").read({ columns: ["SingerId", "Name", "Score", "Born", "Updated", "Active", "Picture"] });
  return plainRows(rows);
}

async function asks_with_parameters({ database }) {
  await only(database, [1, "n1' OR 'a'='a", 10], [2, "b", 20]);
  const sql = "SELECT @i AS i, @f AS f, @s AS s, @b AS b, @d AS d, @t AS t, @y AS y";
  const types = { i: "int64", f: "float64", s: "string", b: "bool", d: "date", t: "timestamp", y: "bytes" };
  const params = { i: Spanner.int("9007199254740993"), f: 0.25, s: "é\"\\", b: true, d: Spanner.date("2024-02-29"),
    t: Spanner.timestamp("2026-01-02T03:04:05.678901234Z"), y: Buffer.from("\0bytes") };
  const nothing = Object.fromEntries(Object.keys(types).map((name) => [name, null]));
  return { values: await query(database, { sql, params, types }), nulls: await query(database, { sql, params: nothing, types }),
    untyped: await query(database, { sql: "SELECT SingerId FROM Singers WHERE Name = @name AND Salary < @most", params: { name: "n1' OR 'a'='a", most: 15 } }) };
}

async function reads_keys_ranges_and_limits({ database }) {
  const owners = ["ann", "bob", "cyd"], numbers = [0, 1, 2, 3];
  await write(database, ["upsert", "Notes", owners.flatMap((Owner) => numbers.map((Id) => ({ Owner, Id, Text: `${Owner}${Id}` })))]);
  const read = async (request) => plainRows((await database.table("Notes").read({ columns: ["Text"], ...request }))[0]).flat();
  return { keys: (await read({ keys: [["bob", 2], ["ann", 0], ["zoe", 1]] })).sort(),
    prefix: await read({ ranges: [{ startClosed: ["bob"], endClosed: ["bob"] }] }),
    between: await read({ ranges: [{ startOpen: ["ann", 2], endOpen: ["bob", 2] }] }), limit: await read({ limit: 5 }) };
}

async function streams_many_rows({ database, ask }) {
  const row = (Id) => ({ Id, Text: `row ${Id} `.padEnd(100, "x") });
  for (let begin = 0; begin < ask.many; begin += 5000) {
    await write(database, ["insert", "Big", Array.from({ length: 5000 }, (_, n) => row(begin + n))]);
  }
  await write(database, ["insert", "Wide", [{ Id: 1, Body: Buffer.alloc(ask.wide, "ab") }]]);
  let count = 0, total = 0, next = 0, inOrder = true;
  for await (const found of database.runStream({ sql: "SELECT Id, Text FROM Big ORDER BY Id" })) {
    const { Id, Text } = found.toJSON();
    inOrder &&= Id === next++ && Text === row(Id).Text;
    count += 1;
    total += Text.length;
  }
  const [[wide]] = await database.table("Wide").read({ columns: ["Body"] });
  return { count, total, inOrder, wide: wide[0].value.equals(Buffer.alloc(ask.wide, "ab")) };
}

// One reads before, the other commits between: the first must be told ABORTED, and its client runs it again.
async function runs_an_aborted_transaction_again({ database }) {
  await only(database, [1, "counter", 0]);
  let attempts = 0;
  await transact(database, async (transaction) => {
    attempts += 1;
    const have = await salary(transaction, 1);
    if (attempts === 1) await write(database, ["update", "Singers", [{ SingerId: 1, Salary: 100 }]]);
    transaction.update("Singers", { SingerId: 1, Salary: have + 1 });
  });
  return { attempts, rows: await singers(database) };
}

// The same without the client's help: how long to wait stands in the error.
async function hears_when_to_try_again({ database }) {
  await only(database, [1, "counter", 0]);
  const [transaction] = await database.getTransaction();
  await transaction.begin();
  await salary(transaction, 1);
  await write(database, ["update", "Singers", [{ SingerId: 1, Salary: 100 }]]);
  transaction.update("Singers", { SingerId: 1, Salary: 1 });
  const { code, metadata } = await transaction.commit().then(() => ({}), (error) => error);
  return { code: grpc.status[code], delay: metadata?.get("google.rpc.retryinfo-bin").length === 1, rows: await singers(database) };
}

async function loses_no_addition({ database }) {
  await only(database, [1, "counter", 0], [2, "counter", 0]);
  const add = (singer) => transact(database, async (transaction) => {
    transaction.update("Singers", { SingerId: singer, Salary: await salary(transaction, singer) + 1 });
  });
  await Promise.all([1, 2, 1, 2, 1, 2, 1, 2].map(add));
  return singers(database);
}

async function rolls_back({ database }) {
  await only(database, [1, "a", 1]);
  const told = await refused(() => transact(database, async (transaction) => {
    await salary(transaction, 1);
    transaction.update("Singers", { SingerId: 1, Salary: 2 });
    throw new Error("the caller's own");
  }));
  return { told: told.message, rows: await singers(database) };
}

async function stands_still_in_a_snapshot({ database }) {
  await only(database, [1, "one", 1]);
  const [snapshot] = await database.getSnapshot();
  const [before] = await snapshot.read("Singers", { columns: ["Name"], keys: [[1]] });
  await write(database, ["update", "Singers", [{ SingerId: 1, Name: "two" }]]);
  const inside = await singers(snapshot);
  snapshot.end();
  return { before: plainRows(before), inside, after: await singers(database) };
}

async function reads_the_past({ database }) {
  const first = await only(database, [1, "first", 1]);
  const second = await write(database, ["update", "Singers", [{ SingerId: 1, Name: "second" }]], ["insert", "Singers", named([[2, "new", 2]])]);
  return { first: await singers(database, { readTimestamp: first }), second: await singers(database, { readTimestamp: second }),
    atLeast: await singers(database, { minReadTimestamp: second }), strong: await singers(database, { strong: true }),
    tooOld: await refused(() => singers(database, { exactStaleness: 7200e3 })) };
}

// As Spark does: one makes the partitions, another process reads them by what it was told.
async function partitions({ database, admin, ask }) {
  const [batch] = await database.createBatchTransaction();
  const byQuery = (await batch.createQueryPartitions({ sql: "SELECT Id FROM Big" }))[0];
  const byRead = (await batch.createReadPartitions({ table: "Big", columns: ["Id"], keySet: { all: true } }))[0];
  const there = admin.batchTransaction(JSON.parse(JSON.stringify(batch.identifier())));
  const told = {};
  for (const [kind, made] of [["query", byQuery], ["read", byRead]]) {
    const parts = await Promise.all(made.map(async (part) => (await there.execute(part))[0].map((row) => number(row[0].value))));
    const all = parts.flat().sort((a, b) => a - b);
    told[kind] = { several: parts.filter((part) => part.length > 0).length > 1, whole: all.length === ask.many && all.every((id, n) => id === n) };
  }
  await batch.close();
  return told;
}

async function counts_mutations({ database }) {
  await only(database);
  const [response] = await database.runTransactionAsync(async (transaction) => {
    transaction.insert("Singers", named([[1, "a", 1], [2, "b", 2]]));
    return transaction.commit({ returnCommitStats: true });
  });
  return Number((response ?? {}).commitStats?.mutationCount);
}

async function hears_what_is_wrong({ database, instance, ask }) {
  await only(database, [1, "a", 1]);
  return {
    exists: await refused(() => write(database, ["insert", "Singers", named([[1, "again"]])])),
    no_row: await refused(() => write(database, ["update", "Singers", [{ SingerId: 77, Name: "x" }]])),
    no_table: await refused(() => write(database, ["insert", "Nothing", [{ A: 1 }]])),
    no_column: await refused(() => query(database, "SELECT Nix FROM Singers")),
    syntax: await refused(() => query(database, "SELECT 1 +\nFROM Singers")),
    overflow: await refused(() => query(database, "SELECT 9223372036854775807 + 1")),
    dml: await refused(() => transact(database, (transaction) => transaction.runUpdate("UPDATE Singers SET Salary = 1 WHERE TRUE"))),
    batch_write: await refused(() => collect(database.batchWriteAtLeastOnce([]))),
    no_database: await refused(() => query(instance.database(`${ask.database}-no`), "SELECT 1")),
    rows: await singers(database),
  };
}

async function is_held_to_the_policy({ database, reader, stranger }) {
  await only(database, [1, "a", 100]);
  return {
    allowed: await query(reader, "SELECT Name FROM Singers"),
    column: await refused(() => query(reader, "SELECT Salary FROM Singers")),
    read: await refused(() => reader.table("Singers").read({ columns: ["SingerId", "Salary"] })),
    write: await refused(() => write(reader, ["insert", "Singers", named([[9, "x"]])])),
    stranger: await refused(() => query(stranger, "SELECT 1")),
  };
}

async function acts_as_an_account({ worker, refused: other }) {
  return { rows: await query(worker, "SELECT Name FROM Singers"), other: await refused(() => query(other, "SELECT 1")) };
}

// The client itself cancels nothing: a stream that is left early goes on without a reader. The generated client below it can.
async function cancels_a_stream({ database, ask, api, path }) {
  let count = 0;
  for await (const row of database.runStream({ sql: "SELECT Id, Text FROM Big" })) {
    if (row && ++count === 10) break;
  }
  const [session] = await api.createSession({ database: path, session: { multiplexed: true } });
  const call = api.executeStreamingSql({ session: session.name, sql: ask.slow }, ONCE);
  setTimeout(() => call.cancel(), 300);
  const began = Date.now(), { code } = await refused(() => collect(call));
  return { count, quick: code === "CANCELLED" && Date.now() - began < 5000, next: await query(database, "SELECT 1") };
}

async function keeps_a_deadline({ database, ask }) {
  const began = Date.now();
  const error = await refused(() => query(database, { sql: ask.slow, gaxOptions: { timeout: 500, ...ONCE } }));
  return { code: error.code, quick: Date.now() - began < 5000, next: await query(database, "SELECT 1") };
}

async function drops_a_database({ service, path }) {
  await service.dropDatabase({ database: path });
  return refused(() => service.getDatabase({ name: path }));
}

// --- the setting -------------------------------------------------------------------------------------------------------------

function prepare(ask) {
  const clients = [];
  const options = (file) => ({ projectId: ask.project, keyFilename: file, apiEndpoint: ask.host, port: ask.port, disableBuiltInMetrics: true });
  const client = (Kind, file) => clients[clients.push(new Kind(options(file))) - 1];
  const spanner = client(Spanner, ask.credentials.admin);
  const place = { ask, service: spanner.getDatabaseAdminClient(), instance: spanner.instance(ask.instance), api: client(v1.SpannerClient, ask.credentials.admin),
    path: `projects/${ask.project}/instances/${ask.instance}/databases/${ask.database}`, close: () => Promise.all(clients.map((made) => made.close())) };
  // The client asks for a session as soon as it is told of a database: not before there is one.
  place.open = () => {
    for (const [name, file] of Object.entries(ask.credentials)) place[name] = client(Spanner, file).instance(ask.instance).database(ask.database);
    place.database = place.instance.database(ask.database);
  };
  return place;
}

run({ makes_a_database, mutates, keeps_every_type, asks_with_parameters, reads_keys_ranges_and_limits, streams_many_rows,
  runs_an_aborted_transaction_again, hears_when_to_try_again, loses_no_addition, rolls_back, stands_still_in_a_snapshot, reads_the_past,
  partitions, counts_mutations, hears_what_is_wrong, is_held_to_the_policy, acts_as_an_account, cancels_a_stream, keeps_a_deadline,
  drops_a_database }, prepare);

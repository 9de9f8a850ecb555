// What a program of cases has in common: it reads one question as JSON on standard input, runs its cases in order and writes a line of
// JSON for each: {case, value} or {case, error}. A failed case stops nothing.
const { GoogleError, grpc } = require("google-gax");

// The client reads the details of unary calls only.
function toldError(error) {
  GoogleError.parseGRPCStatusDetails(error);
  return { code: grpc.status[error.code] ?? String(error.code ?? error.name), message: error.details || error.message,
    reason: error.reason, domain: error.domain, metadata: error.errorInfoMetadata };
}

async function attempt(work) {
  try {
    return { value: await work() };
  } catch (error) {
    return { error: toldError(error) };
  }
}

// The error that `work` ends with; not to fail is a failure.
async function refused(work) {
  const { error } = await attempt(work);
  if (!error) throw new Error("it was not refused");
  return error;
}

async function collect(stream) {
  const found = [];
  for await (const item of stream) found.push(item);
  return found;
}

async function readAll(stream) {
  return Buffer.concat(await collect(stream)).toString();
}

async function main(cases, prepare) {
  const place = await prepare(JSON.parse(await readAll(process.stdin)));
  for (const [name, work] of Object.entries(cases)) {
    const began = Date.now();
    const told = await attempt(() => work(place));
    console.log(JSON.stringify({ case: name, ...told, ms: Date.now() - began }));
  }
  await place.close();
  process.exit(); // a stream that was left early would hold the process for as long as its call lasts
}

module.exports = { attempt, refused, collect, run: (cases, prepare) => main(cases, prepare).catch((error) => {
  console.error(error);
  process.exitCode = 1;
}) };

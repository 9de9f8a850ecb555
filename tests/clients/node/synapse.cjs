// The Node client of Synapse's artifacts API, unmodified, through one pipeline's life. Reads {url, token, name, parameter, document}
// on standard input (a token is nothing for argv), writes what each step gave, as JSON.
const { ArtifactsClient } = require("@azure/synapse-artifacts");

async function tell(work) {
  try {
    return { value: await work() };
  } catch (error) {
    return { error: { name: error.name, status: error.statusCode, code: error.code, message: error.message } };
  }
}

async function collect(pages) {
  const found = [];
  for await (const item of pages) found.push(item.name);
  return found;
}

async function finished(client, runId) {
  for (;;) {
    const run = await client.pipelineRunOperations.getPipelineRun(runId);
    if (!["Queued", "InProgress", "Canceling"].includes(run.status)) return run;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function main(ask) {
  const credential = { getToken: async () => ({ token: ask.token, expiresOnTimestamp: Date.now() + 600e3 }) };
  const client = new ArtifactsClient(credential, ask.url, { retryOptions: { maxRetries: 0 } });
  const pipelines = client.pipelineOperations, runs = client.pipelineRunOperations, services = client.linkedServiceOperations;
  const always = { lastUpdatedAfter: new Date(Date.now() - 3600e3), lastUpdatedBefore: new Date(Date.now() + 3600e3) };
  const told = {};
  const made = await pipelines.beginCreateOrUpdatePipelineAndWait(ask.name, ask.document);
  told.made = made;
  told.got = await pipelines.getPipeline(ask.name);
  told.unchanged = await tell(() => pipelines.getPipeline(ask.name, { ifNoneMatch: made.etag }));
  told.conflict = await tell(() => pipelines.beginCreateOrUpdatePipelineAndWait(ask.name, ask.document, { ifMatch: "\"other\"" }));
  told.listed = await collect(pipelines.listPipelinesByWorkspace());
  const { runId } = await pipelines.createPipelineRun(ask.name, { parameters: { word: ask.parameter } });
  told.run = await finished(client, runId);
  told.activities = (await runs.queryActivityRuns(ask.name, runId, always)).value;
  told.queried = (await runs.queryPipelineRunsByWorkspace({ ...always, filters: [{ operand: "PipelineName", operator: "Equals", values: [ask.name] }] })).value;
  told.cancelEnded = await tell(() => runs.cancelPipelineRun(runId));
  told.unknown = await tell(() => pipelines.createPipelineRun(ask.name, { parameters: { word: "x", nothing: 1 } }));
  told.missing = await tell(() => pipelines.getPipeline("no such pipeline"));
  told.bad = await tell(() => pipelines.beginCreateOrUpdatePipelineAndWait("bad", { activities: [{ name: "x", type: "Copy" }] }));
  await pipelines.beginRenamePipelineAndWait(ask.name, { newName: ask.name + " again" });
  told.renamed = (await pipelines.getPipeline(ask.name + " again")).name;
  await pipelines.beginDeletePipelineAndWait(ask.name + " again");
  told.deleted = await tell(() => pipelines.getPipeline(ask.name + " again"));
  await services.beginCreateOrUpdateLinkedServiceAndWait("web", {
    properties: { type: "HttpServer", url: "https://example.com", authenticationType: "Anonymous" } });
  told.linkedService = (await services.getLinkedService("web")).properties;
  told.linkedServices = await collect(services.listLinkedServicesByWorkspace());
  await services.beginDeleteLinkedServiceAndWait("web");
  return told;
}

let text = "";
process.stdin.on("data", (part) => (text += part)).on("end", async () => {
  try {
    console.log(JSON.stringify(await main(JSON.parse(text))));
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  }
});

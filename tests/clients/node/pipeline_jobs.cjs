// The Node client of Synapse's artifacts API, unmodified: saves a pipeline, runs it with a parameter, waits for its end. Reads
// {url, token, name, document, parameters} on standard input, writes the run and its activities as JSON.
const { ArtifactsClient } = require("@azure/synapse-artifacts");

async function main(ask) {
  const credential = { getToken: async () => ({ token: ask.token, expiresOnTimestamp: Date.now() + 600e3 }) };
  const client = new ArtifactsClient(credential, ask.url, { retryOptions: { maxRetries: 0 } });
  await client.pipelineOperations.beginCreateOrUpdatePipelineAndWait(ask.name, ask.document);
  const { runId } = await client.pipelineOperations.createPipelineRun(ask.name, { parameters: ask.parameters });
  let run;
  do {
    await new Promise((resolve) => setTimeout(resolve, 300));
    run = await client.pipelineRunOperations.getPipelineRun(runId);
  } while (["Queued", "InProgress", "Canceling"].includes(run.status));
  const always = { lastUpdatedAfter: new Date(Date.now() - 3600e3), lastUpdatedBefore: new Date(Date.now() + 3600e3) };
  return { run, activities: (await client.pipelineRunOperations.queryActivityRuns(ask.name, runId, always)).value };
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

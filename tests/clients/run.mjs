// Two components of an application query different fields of the same objects: run.mjs URL CONFIGURATION.
// Prints how many requests each client sent for both, and what they show before and after a mutation.
import { createHash } from "node:crypto";
import { pathToFileURL } from "node:url";
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { Client, fetchExchange } from "@urql/core";
import { cacheExchange } from "@urql/exchange-graphcache";
import { pipe, subscribe } from "wonka";

const [url, configuration] = process.argv.slice(2);
const { typePolicies, keys } = await import(pathToFileURL(configuration));

const device = 'device(organizationId: "ferro-works", applicationId: "cnc-monitoring", machineId: "LATHE-01")';
const range = 'range: { last: "PT1H" }';
const first = gql`query First { ${device} { id name status { power } states(${range}) { start } connectors { id name } }
  organization(organizationId: "ferro-works") { id analytics { registeredDevices } } viewer { subject } }`;
const second = gql`query Second { ${device} { id name status { execution } states(${range}) { stop } eventBindings { label } }
  organization(organizationId: "ferro-works") { id analytics { registeredApplications } } viewer { role } }`;
const rename = gql`mutation Rename($name: String!) { updateDevice(input: { organizationId: "ferro-works",
  applicationId: "cnc-monitoring", machineId: "LATHE-01", name: $name }) { device { id name } } }`;
const MAX_REQUESTS = 20; // a client that requests the same again and again is stopped here

function countingFetch() {
  const counting = async (...request) => {
    if (++counting.requests > MAX_REQUESTS) throw new Error("too many requests");
    counting.pending += 1;
    try {
      return await fetch(...request);
    } finally {
      counting.pending -= 1;
    }
  };
  return Object.assign(counting, { requests: 0, pending: 0 });
}

// Wait until nothing has been requested for some time.
async function settle(counting) {
  for (let quiet = 0, seen = -1; quiet < 10; quiet += 1) {
    await new Promise((resolve) => setTimeout(resolve, 30));
    if (counting.pending || counting.requests !== seen) quiet = 0;
    seen = counting.requests;
  }
}

async function runApollo(policies) {
  const fetch = countingFetch();
  const cache = new InMemoryCache({ typePolicies: policies });
  const client = new ApolloClient({ cache, link: new HttpLink({ uri: url, fetch }) });
  const shown = {};
  for (const [name, query] of Object.entries({ first, second })) {
    client.watchQuery({ query }).subscribe({ next: ({ data }) => (shown[name] = data?.device?.name), error() {} });
  }
  await settle(fetch);
  const requests = fetch.requests;
  await client.mutate({ mutation: rename, variables: { name: "Apollo" } }).catch(() => {});
  await settle(fetch);
  return { requests, afterMutation: fetch.requests, shown };
}

async function runUrql() {
  const fetch = countingFetch();
  const exchanges = [cacheExchange({ keys }), fetchExchange];
  const client = new Client({ url, fetch, exchanges, preferGetMethod: false });
  const shown = {};
  for (const [name, query] of Object.entries({ first, second })) {
    pipe(client.query(query, {}), subscribe(({ data }) => (shown[name] = data?.device?.name)));
  }
  await settle(fetch);
  const requests = fetch.requests;
  await client.mutation(rename, { name: "urql" }).toPromise();
  await settle(fetch);
  return { requests, afterMutation: fetch.requests, shown };
}

async function runPersisted() {
  const sha256 = (text) => createHash("sha256").update(text).digest("hex");
  const counts = [];
  for (let round = 0; round < 2; round += 1) {
    const fetch = countingFetch();
    const link = ApolloLink.from([new PersistedQueryLink({ sha256 }), new HttpLink({ uri: url, fetch })]);
    const client = new ApolloClient({ cache: new InMemoryCache({ typePolicies }), link });
    const { data } = await client.query({ query: second });
    counts.push({ requests: fetch.requests, machine: data.device.name });
  }
  return counts;
}

const warnings = [];
console.warn = console.error = (...parts) => warnings.push(parts.join(" ").slice(0, 200));
const persisted = await runPersisted();
const apollo = await runApollo(typePolicies);
const urql = await runUrql();
const seen = [...warnings];
const withoutPolicies = await runApollo({});
console.log(JSON.stringify({ persisted, apollo, urql, warnings: seen, withoutPolicies }));
process.exit(0);

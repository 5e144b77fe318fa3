// Mercurius with graphql-jit: loaders, and a projection by looking ahead at the selection.
import Fastify from "fastify";
import mercurius from "mercurius";
import { MongoClient } from "mongodb";

const [port, mongodbUrl, influxUrl] = process.argv.slice(2);
const database = (await new MongoClient(mongodbUrl, { maxPoolSize: 50 }).connect()).db("bench");

const schema = `
  type Query { organization(organizationId: String!): Organization
    application(organizationId: String!, applicationId: String!): Application }
  type Organization { name: String! applications: [Application!]! }
  type Application { applicationId: String! name: String! deviceCount: Int! devices(first: Int = 50): DeviceConnection! }
  type DeviceConnection { nodes: [Device!]! }
  type Device { documentId: String! machineId: String! name: String createdAt: String updatedAt: String
    eventBindings: [EventBinding!]! connectors: [Connector!]! status: Status }
  type EventBinding { sourceId: String! label: String class: String }
  type Connector { name: String! driver: String! }
  type Status { power: Boolean execution: String }
`;
const KEYS = { documentId: "_id", eventBindings: "events", status: "machineId" };

async function applications() {
  const entry = await database.collection("config").findOne({ key: "applications" });
  return Object.entries(entry?.value.applicationSettings ?? {}).map(([applicationId, each]) => ({
    applicationId,
    name: each.name,
  }));
}

function projectionOf(info) {
  const projection = { _id: 1, machineId: 1 };
  for (const node of info.fieldNodes)
    for (const nodes of node.selectionSet.selections)
      for (const field of nodes.selectionSet?.selections ?? [])
        projection[KEYS[field.name.value] ?? field.name.value] = 1;
  return projection;
}

const resolvers = {
  Query: {
    organization: async (_, { organizationId }) => ({ name: organizationId, applications: await applications() }),
    application: async (_, { applicationId }) =>
      (await applications()).find((each) => each.applicationId === applicationId) ?? null,
  },
  Application: {
    devices: async ({ applicationId }, { first }, context, info) => {
      const found = database.collection(`${applicationId}_devices`);
      const options = { projection: projectionOf(info), batchSize: first };
      const nodes = await found.find({}, options).sort({ _id: 1 }).limit(first).toArray();
      for (const each of nodes) each.applicationId = applicationId;
      return { nodes };
    },
  },
  Device: {
    documentId: (device) => device._id.toHexString(),
    createdAt: (device) => device.createdAt.toISOString(),
    updatedAt: (device) => device.updatedAt.toISOString(),
    eventBindings: (device) => device.events,
  },
  EventBinding: { sourceId: (binding) => binding.id },
};

async function connectorsOf(applicationId) {
  const lists = await Promise.all(
    ["connectors", `${applicationId}_connectors`].map((name) => database.collection(name).find().toArray()),
  );
  return new Map(lists.flat().map((each) => [each.name, each]));
}

const loaders = {
  Application: {
    deviceCount: (queries) =>
      Promise.all(queries.map(({ obj }) => database.collection(`${obj.applicationId}_devices`).estimatedDocumentCount())),
  },
  Device: {
    connectors: {
      async loader(queries) {
        const known = new Map();
        for (const { obj } of queries)
          if (!known.has(obj.applicationId)) known.set(obj.applicationId, connectorsOf(obj.applicationId));
        return Promise.all(
          queries.map(async ({ obj }) => {
            const named = await known.get(obj.applicationId);
            return obj.connectors.map((name) => named.get(name)).filter(Boolean);
          }),
        );
      },
      opts: { cache: false },
    },
    status: {
      async loader(queries) {
        const machines = queries.map(({ obj }) => obj.machineId);
        const params = Object.fromEntries(machines.map((machine, n) => [`m${n}`, machine]));
        const q = `SELECT machine_id, last_value(power ORDER BY time) AS power,
          last_value(execution ORDER BY time) AS execution FROM state
          WHERE machine_id IN (${Object.keys(params).map((name) => `$${name}`).join(", ")}) GROUP BY machine_id`;
        const response = await fetch(`${influxUrl}/api/v3/query_sql`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ db: "bench", q, format: "json", params }),
        });
        const rows = new Map((await response.json()).map((row) => [row.machine_id, row]));
        return machines.map((machine) => rows.get(machine) ?? null);
      },
      opts: { cache: false },
    },
  },
};

const app = Fastify();
app.register(mercurius, { schema, resolvers, loaders, jit: 1 });
await app.listen({ port: Number(port), host: "127.0.0.1" });
console.log("ready");

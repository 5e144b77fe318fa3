// Writes points as the documentation of InfluxDB's clients shows. Arguments: the URL of the gateway, a key.
// Prints what each client reported, as JSON.
import { InfluxDB, Point } from "@influxdata/influxdb-client";
import * as Influx1 from "influx";

const [url, key] = process.argv.slice(2);
const outcome = {};

async function report(name, write) {
  try {
    await write();
    outcome[name] = "written";
  } catch (error) {
    outcome[name] = { status: error.statusCode ?? error.res?.statusCode ?? null, message: error.message };
  }
}

async function write2(name, token, gzipThreshold, point) {
  const writeOptions = { gzipThreshold, maxRetries: 0, defaultTags: { site: "north" } };
  const api = new InfluxDB({ url, token }).getWriteApi("any", "machines", "ms", writeOptions);
  // The client reports failures here, and only logs them otherwise.
  api.writeOptions.writeFailed = () => undefined;
  await report(name, async () => {
    api.writePoint(point);
    await api.close();
  });
}

const time = new Date("2026-03-02T12:00:00.125Z");
await write2("influxdb2", key, 1e9, new Point("state").tag("machine_id", "NODE-2").booleanField("power", true).timestamp(time));
await write2("influxdb2 gzip", key, 1, new Point("state").tag("machine_id", "NODE-2").intField("n", 7).timestamp(time));
await write2("influxdb2 conflict", key, 1e9, new Point("state").tag("machine_id", "NODE-2").stringField("n", "x").timestamp(time));
await write2("influxdb2 without a key", "wrong", 1e9, new Point("state").tag("machine_id", "NODE-2").floatField("x", 1));

const { hostname, port } = new URL(url);
const host = { host: hostname, port: Number(port), protocol: "http", username: "collector", password: key };
const influx1 = new Influx1.InfluxDB({ ...host, database: "machines" });
const points = [{ measurement: "state", tags: { machine_id: "NODE-1" }, fields: { power: true }, timestamp: time }];
await report("influxdb1", () => influx1.writePoints(points, { precision: "ms" }));
await report("influxdb1 unknown", () => influx1.writePoints(points, { database: "none" }));

console.log(JSON.stringify(outcome));

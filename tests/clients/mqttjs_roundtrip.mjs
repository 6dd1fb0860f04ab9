// Publishes and receives once with each QoS through MQTT.js, then checks a refusal.
//
// usage: node mqttjs_roundtrip.mjs PORT CA CERTIFICATE KEY TOPIC-PREFIX VERSION(4|5)

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import mqtt from "mqtt";

const [port, ca, certificate, key, prefix, version] = process.argv.slice(2);
const signal = AbortSignal.timeout(60_000);

const client = await mqtt.connectAsync({
    protocol: "mqtts",
    host: "localhost",
    port: Number(port),
    ca: readFileSync(ca),
    cert: readFileSync(certificate),
    key: readFileSync(key),
    protocolVersion: Number(version),
    clientId: `mqttjs-${version}`,
    reconnectPeriod: 0,
}, false);

for (const qos of [0, 1, 2]) {
    const topic = `${prefix}/js/${qos}`;
    const granted = await client.subscribeAsync(topic, { qos });
    assert.equal(granted[0].qos, qos);
    const message = once(client, "message", { signal });
    await client.publishAsync(topic, `payload ${qos}`, { qos });
    const [receivedTopic, payload, packet] = await message;
    assert.deepEqual([receivedTopic, payload.toString(), packet.qos], [topic, `payload ${qos}`, qos]);
}

await assert.rejects(client.subscribeAsync("#", { qos: 0 }), "SUBACK of #");
await client.endAsync();
console.log("ok: QoS 0, 1 and 2");

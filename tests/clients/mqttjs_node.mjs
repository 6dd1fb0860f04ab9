// The round trip of MQTT.js in node.
//
// usage: node mqttjs_node.mjs URL CA CERTIFICATE KEY TOPIC-PREFIX VERSION(4|5)

import { readFileSync } from "node:fs";
import mqtt from "mqtt";
import { roundtrip } from "./mqttjs_roundtrip.mjs";

const [url, ca, certificate, key, prefix, version] = process.argv.slice(2);
const options = { ca: readFileSync(ca), cert: readFileSync(certificate), key: readFileSync(key) };
// Over WebSocket they are options of the socket below MQTT.js.
await roundtrip(mqtt, url, url.startsWith("wss:") ? { wsOptions: options } : options, prefix, Number(version));
console.log("ok: every QoS, retained, will, denied");

// What every client must be able to do, done with MQTT.js: in node and, unchanged, in a page of a browser.

const PATIENCE = 60_000;

/**
 * Publishes and receives with each QoS, finds what was retained, sees a will fire, is denied a subscription.
 *
 * @param mqtt the client's module
 * @param url of the broker
 * @param options of the connection: certificates, where the client takes them
 * @param prefix topics below it are the device's own
 * @param version 4 (3.1.1) or 5 (5.0)
 */
export async function roundtrip(mqtt, url, options, prefix, version) {
    const connect = (name, more = {}) =>
        within(mqtt.connectAsync(url, {
            ...options,
            ...more,
            protocolVersion: version,
            clientId: `mqttjs-${name}-${version}`,
            reconnectPeriod: 0,
            connectTimeout: PATIENCE,
        }, false), "CONNACK");
    const client = await connect("main");
    for (const qos of [0, 1, 2]) {
        const topic = `${prefix}/qos/${qos}`;
        same((await client.subscribeAsync(topic, { qos }))[0].qos, qos, "granted QoS");
        const message = next(client, topic);
        await client.publishAsync(topic, `payload ${qos}`, { qos });
        const packet = await message;
        same([packet.payload.toString(), packet.qos, packet.retain], [`payload ${qos}`, qos, false], topic);
    }

    const kept = `${prefix}/kept`;
    await client.publishAsync(kept, "kept", { qos: 1, retain: true });
    const found = next(client, kept);
    await client.subscribeAsync(kept, { qos: 1 });
    const packet = await found;
    same([packet.payload.toString(), packet.retain], ["kept", true], "retained");
    await client.publishAsync(kept, "", { qos: 1, retain: true });

    const willed = `${prefix}/will`;
    await client.subscribeAsync(willed, { qos: 1 });
    const will = next(client, willed);
    const mortal = await connect("mortal", { will: { topic: willed, payload: "gone", qos: 1, retain: false } });
    // By force: without DISCONNECT.
    await mortal.endAsync(true);
    same((await will).payload.toString(), "gone", "will");

    let denied = false;
    await client.subscribeAsync("#", { qos: 0 }).catch(() => { denied = true; });
    same(denied, true, "SUBACK of #");
    await client.endAsync();
}

/** The next message on the topic, as MQTT.js gives it. */
function next(client, topic) {
    return within(new Promise((resolve) => {
        const listen = (received, _payload, packet) => {
            if (received === topic) {
                client.off("message", listen);
                resolve(packet);
            }
        };
        client.on("message", listen);
    }), `a message on ${topic}`);
}

function within(promise, what) {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${what}: not within ${PATIENCE} ms`)), PATIENCE);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function same(found, wanted, what) {
    if (JSON.stringify(found) !== JSON.stringify(wanted)) {
        throw new Error(`${what}: ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
    }
}

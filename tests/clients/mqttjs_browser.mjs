// The round trip of MQTT.js in a page of a real Chromium, which presents a client certificate from its own store.
//
// usage: node mqttjs_browser.mjs FOLDER TOPIC-PREFIX
//
// FOLDER has ca.crt, server.crt, server.key, device-001.crt and device-001.key. Prints "page PORT" as soon as it serves
// the page at https://localhost:PORT and, as another origin, at https://127.0.0.1:PORT; then reads the broker's port
// for WebSocket from a line of stdin. The first origin must be welcome there, the second must not.

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { createServer } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const PATIENCE = 120_000;
const [folder, prefix] = process.argv.slice(2);
const file = (name) => join(folder, name);
const home = mkdtempSync(join(tmpdir(), "certmq-chromium-"));

const PAGE = `<!doctype html><title>certmq</title><script type="module">
    import mqtt from "/mqtt.esm.js";
    import { roundtrip } from "/mqttjs_roundtrip.mjs";
    const { broker, prefix, welcome } = await (await fetch("/task" + location.search)).json();
    const tell = (text) => fetch("/result", { method: "POST", body: text });
    try {
        // A browser chooses a certificate for a page or a fetch, and then has it for WebSockets to the same place.
        await fetch("https://" + broker, { mode: "no-cors", credentials: "include" });
        if (welcome) {
            for (const version of [4, 5]) await roundtrip(mqtt, "wss://" + broker, {}, prefix, version);
            // A text frame: closed with 1003, and in the browser's eyes in order.
            const close = await new Promise((resolve) => {
                const socket = new WebSocket("wss://" + broker, "mqtt");
                socket.onopen = () => socket.send("text");
                socket.onclose = resolve;
            });
            await tell(close.code === 1003 && close.wasClean ? "ok" : "closed with " + close.code + ", clean: " + close.wasClean);
        } else {
            const socket = new WebSocket("wss://" + broker, "mqtt");
            socket.onopen = () => tell("opened");
            socket.onerror = () => tell("refused");
        }
    } catch (error) {
        await tell("failed: " + error.stack);
    }
</script>`;

/** A profile that trusts the CA, holds the device's certificate, and presents it without asking. */
function prepareProfile() {
    const database = `sql:${join(home, ".pki/nssdb")}`;
    mkdirSync(join(home, ".pki/nssdb"), { recursive: true });
    run("certutil", "-N", "-d", database, "--empty-password");
    run("certutil", "-A", "-d", database, "-n", "ca", "-t", "C,,", "-i", file("ca.crt"));
    const bundle = join(home, "device.p12");
    run("openssl", "pkcs12", "-export", "-inkey", file("device-001.key"), "-in", file("device-001.crt"),
        "-name", "device-001", "-passout", "pass:", "-out", bundle);
    run("pk12util", "-i", bundle, "-d", database, "-W", "", "-K", "");
    const preset = { "https://localhost:*,*": { setting: { filters: [{}] } } };
    const preferences = { profile: { content_settings: { exceptions: { auto_select_certificate: preset } } } };
    mkdirSync(join(home, "profile/Default"), { recursive: true });
    writeFileSync(join(home, "profile/Default/Preferences"), JSON.stringify(preferences));
}

function run(...[program, ...words]) {
    const ended = spawnSync(program, words, { encoding: "utf8" });
    if (ended.status !== 0) throw new Error(`${program} ${words.join(" ")}: ${ended.error ?? ended.stderr}`);
}

/** Opens a page in a Chromium of its own and returns what it tells. */
async function visit(page, results) {
    const chromium = spawn("chromium", [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--no-proxy-server",
        "--enable-logging=stderr", `--user-data-dir=${join(home, "profile")}`, page,
    ], { env: { ...process.env, HOME: home }, stdio: ["ignore", "ignore", "pipe"], detached: true });
    let log = "";
    chromium.stderr.on("data", (text) => { log += text; });
    const failed = once(chromium, "error").then(([error]) => `chromium: ${error.message}`);
    const ended = once(chromium, "exit").then(() => `chromium ended: ${log}`);
    const late = new Promise((resolve) => setTimeout(() => resolve(`nothing within ${PATIENCE} ms: ${log}`), PATIENCE).unref());
    const told = await Promise.race([results.next().then(({ value }) => value), failed, ended, late]);
    const exited = chromium.exitCode ?? once(chromium, "exit");
    // With the processes that it started: they would go on writing to the profile that is about to be removed.
    if (chromium.pid) process.kill(-chromium.pid, "SIGKILL");
    await Promise.race([exited, failed]);
    return told;
}

const served = {
    "/": ["text/html", PAGE],
    "/mqtt.esm.js": ["text/javascript", readFileSync("node_modules/mqtt/dist/mqtt.esm.js")],
    "/mqttjs_roundtrip.mjs": ["text/javascript", readFileSync("mqttjs_roundtrip.mjs")],
};
let broker;
let tell;
async function* results() {
    while (true) yield await new Promise((resolve) => { tell = resolve; });
}
const server = createServer({ cert: readFileSync(file("server.crt")), key: readFileSync(file("server.key")) }, async (request, response) => {
    const url = new URL(request.url, "https://localhost");
    if (url.pathname === "/task") {
        response.end(JSON.stringify({ broker, prefix, welcome: url.search === "?welcome" }));
    } else if (url.pathname === "/result") {
        const pieces = await request.toArray();
        response.end();
        tell(Buffer.concat(pieces).toString());
    } else if (served[url.pathname]) {
        const [type, body] = served[url.pathname];
        response.setHeader("content-type", type).end(body);
    } else {
        response.writeHead(404).end();
    }
});
try {
    prepareProfile();
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address();
    console.log(`page ${port}`);
    const [line] = await once(createInterface(process.stdin), "line");
    broker = `localhost:${line.trim()}`;
    const told = results();
    const welcome = await visit(`https://localhost:${port}/?welcome`, told);
    if (welcome !== "ok") throw new Error(`the page of the welcome origin: ${welcome}`);
    const other = await visit(`https://127.0.0.1:${port}/`, told);
    if (other !== "refused") throw new Error(`the page of another origin: ${other}`);
    console.log("ok: every QoS, retained, will, denied");
    process.exitCode = 0;
} catch (error) {
    console.error(error);
    process.exitCode = 1;
} finally {
    server.close();
    server.closeAllConnections();
    rmSync(home, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
    process.stdin.destroy();
}

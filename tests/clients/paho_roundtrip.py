"""What every client must be able to do, done with paho: each QoS, retained, will, a denied subscription.

usage: paho_roundtrip.py TRANSPORT(tcp|websockets) PORT CA CERTIFICATE KEY TOPIC-PREFIX VERSION(4|5)
"""

import queue
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

PATIENCE = 30


def main(transport, port, ca, certificate, key, prefix, version):
    def new_client(name):
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"paho-{transport}-{name}-{version}",
            protocol=int(version),
            transport=transport,
        )
        client.tls_set(ca_certs=ca, certfile=certificate, keyfile=key)
        return client

    connected, subscribed, received = queue.Queue(), queue.Queue(), queue.Queue()
    client = new_client("main")
    client.on_connect = lambda _client, _data, _flags, reason, _properties: connected.put(reason)
    client.on_subscribe = lambda _client, _data, _mid, reasons, _properties: subscribed.put(reasons)
    client.on_message = lambda _client, _data, message: received.put(message)
    client.connect("localhost", int(port), keepalive=30)
    client.loop_start()

    def subscribe(topic, qos):
        client.subscribe(topic, qos)
        return [reason.value for reason in subscribed.get(timeout=PATIENCE)]

    def publish(topic, payload, qos, retain=False):
        client.publish(topic, payload, qos, retain).wait_for_publish(PATIENCE)

    def expect(topic, payload, qos, retain=False):
        message = received.get(timeout=PATIENCE)
        found = (message.topic, message.payload, message.qos, message.retain)
        assert found == (topic, payload, qos, retain), found

    reason = connected.get(timeout=PATIENCE)
    assert not reason.is_failure, f"CONNACK: {reason}"
    for qos in (0, 1, 2):
        topic, payload = f"{prefix}/qos/{qos}", f"payload {qos}".encode()
        assert subscribe(topic, qos) == [qos]
        publish(topic, payload, qos)
        expect(topic, payload, qos)

    kept = f"{prefix}/kept"
    publish(kept, b"kept", 1, retain=True)
    assert subscribe(kept, 1) == [1]
    expect(kept, b"kept", 1, retain=True)
    client.unsubscribe(kept)
    publish(kept, b"", 1, retain=True)

    willed = f"{prefix}/will"
    assert subscribe(willed, 1) == [1]
    mortal, alive = new_client("mortal"), []
    mortal.will_set(willed, b"gone", 1)
    mortal.on_connect = lambda *_: alive.append(True)
    mortal.connect("localhost", int(port), keepalive=30)
    while not alive:
        assert mortal.loop(PATIENCE) == mqtt.MQTT_ERR_SUCCESS
    # Without DISCONNECT.
    mortal.socket().close()
    expect(willed, b"gone", 1)

    client.subscribe("#", 0)
    reasons = subscribed.get(timeout=PATIENCE)
    assert reasons[0].is_failure, f"SUBACK of #: {reasons}"
    client.disconnect()
    client.loop_stop()
    assert received.empty(), "one delivery each"
    print("ok: every QoS, retained, will, denied")


main(*sys.argv[1:])

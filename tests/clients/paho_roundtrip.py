"""Publishes and receives once with each QoS through paho, then checks a refusal.

usage: paho_roundtrip.py PORT CA CERTIFICATE KEY TOPIC-PREFIX VERSION(4|5)
"""

import queue
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

PATIENCE = 30


def main(port, ca, certificate, key, prefix, version):
    connected, subscribed, received = queue.Queue(), queue.Queue(), queue.Queue()
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"paho-{version}", protocol=int(version))
    client.tls_set(ca_certs=ca, certfile=certificate, keyfile=key)
    client.on_connect = lambda _client, _data, _flags, reason, _properties: connected.put(reason)
    client.on_subscribe = lambda _client, _data, _mid, reasons, _properties: subscribed.put(reasons)
    client.on_message = lambda _client, _data, message: received.put(message)
    client.connect("localhost", int(port), keepalive=30)
    client.loop_start()

    reason = connected.get(timeout=PATIENCE)
    assert not reason.is_failure, f"CONNACK: {reason}"
    for qos in (0, 1, 2):
        topic = f"{prefix}/{qos}"
        client.subscribe(topic, qos)
        reasons = subscribed.get(timeout=PATIENCE)
        assert [reason.value for reason in reasons] == [qos], f"SUBACK: {reasons}"
        payload = f"payload {qos}".encode()
        client.publish(topic, payload, qos).wait_for_publish(PATIENCE)
        message = received.get(timeout=PATIENCE)
        assert (message.topic, message.payload, message.qos) == (topic, payload, qos), f"{message.topic} {message.qos}"

    client.subscribe("#", 0)
    reasons = subscribed.get(timeout=PATIENCE)
    assert reasons[0].is_failure, f"SUBACK of #: {reasons}"
    client.disconnect()
    client.loop_stop()
    assert received.empty(), "one delivery each"
    print("ok: QoS 0, 1 and 2")


main(*sys.argv[1:])

"""What spans and their attributes are called: the words of OpenTelemetry's semantic conventions.

Those of messaging are still in development there, so that they may change: nowhere else is one spelt.
"""

HTTP_METHOD = "http.request.method"
HTTP_ROUTE = "http.route"
HTTP_STATUS = "http.response.status_code"
ERROR_TYPE = "error.type"

SYSTEM = "messaging.system"
DESTINATION = "messaging.destination.name"
DESTINATION_PARTITION = "messaging.destination.partition.id"
CONSUMER_GROUP = "messaging.consumer.group.name"
OPERATION_NAME = "messaging.operation.name"
OPERATION_TYPE = "messaging.operation.type"
BATCH = "messaging.batch.message_count"
KAFKA_OFFSET = "messaging.kafka.offset"

KAFKA = "kafka"
PROCESS = "process"
SEND = "send"

PROBLEM_ID = "care.problem.id"
STEP_ID = "care.step.id"
PLAYBOOK = "care.playbook"
CHANNEL = "care.channel"
ATTEMPT = "care.attempt"
OUTCOME = "care.outcome"
"""Ours; `care.outcome.applied` and the like count by outcome."""

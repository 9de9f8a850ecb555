"""usage: airflow_livy.py FILE WORD TOKEN_FILE: Airflow's own LivyHook and LivyOperator, run by test_livy.py in Airflow's environment, with
the connection in AIRFLOW_CONN_LIVY. No database and no scheduler. The last line is a JSON object."""
import json
import logging
import pathlib
import sys

from airflow.providers.apache.livy.hooks.livy import BatchState, LivyHook
from airflow.providers.apache.livy.operators.livy import LivyOperator

logging.basicConfig(stream=sys.stderr, level=logging.INFO)


class Task:
    """What the operator asks of its task instance."""

    def __init__(self):
        self.pushed = {}

    def xcom_push(self, key, value):
        self.pushed[key] = value


def main(file, word, token_file):
    headers = {"Authorization": f"Bearer {pathlib.Path(token_file).read_text()}"}
    task = Task()
    operator = LivyOperator(task_id="batch", file=f"{file}/says.py", args=[word], name=word, livy_conn_id="livy", polling_interval=1, durable=False,
                            extra_headers=headers, conf={"spark.sql.shuffle.partitions": 2}, num_executors=1)
    batch = operator.execute({"ti": task})
    hook = LivyHook(livy_conn_id="livy", extra_headers=headers)
    failed = ""
    try:
        LivyOperator(task_id="fails", file=f"{file}/fails.py", livy_conn_id="livy", polling_interval=1, durable=False, extra_headers=headers).execute({"ti": task})
    except Exception as error:  # AirflowException, wherever this version has it
        failed = str(error)
    killed = hook.post_batch(file=f"{file}/sleeps.py")
    deleted = hook.delete_batch(killed)
    while hook.get_batch_state(killed) not in hook.TERMINAL_STATES:
        pass
    print(json.dumps({"id": batch, "state": hook.get_batch_state(batch).value, "batch": hook.get_batch(batch), "pushed": task.pushed,
                      "end": hook.get_batch_logs(batch, -1, 2), "page": hook.get_batch_logs(batch, 100, 3), "failed": failed,
                      "deleted": deleted, "killed": hook.get_batch_state(killed) == BatchState.KILLED}))


if __name__ == "__main__":
    main(*sys.argv[1:])

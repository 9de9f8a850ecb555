"""What the Spark-Spanner connector asks each time that it resolves a table: an instance and a database may be said to exist, but no job
makes one, be it here or at an upstream, whatever its account may do elsewhere."""
import time

import requests

import setting

PLACE = {"project_id": "demo", "region": "local"}


TOLD = {"flights": "ALREADY_EXISTS", "elsewhere": "PERMISSION_DENIED",
        "flights/resolved": "ALREADY_EXISTS", "flights/unheard": "PERMISSION_DENIED"}


def test_a_job_makes_no_instance_and_no_database(site, as_user):
    admin = as_user("admin")
    setting.create_database(site, admin, "resolved", setting.DDL)
    setting.dataproc_client(site, admin, "ClusterControllerClient").create_cluster(
        **PLACE, cluster={"project_id": "demo", "cluster_name": "makers"}).result(timeout=60)
    jobs = setting.dataproc_client(site, as_user("caller"))
    job = {"placement": {"cluster_name": "makers"},
           "pyspark_job": {"main_python_file_uri": f"file://{site.code}/makes.py", "args": list(TOLD)}}
    made = jobs.submit_job(**PLACE, job=job).reference.job_id
    end = time.monotonic() + 120
    while (state := jobs.get_job(**PLACE, job_id=made).status.state.name) not in ("DONE", "ERROR", "CANCELLED"):
        assert time.monotonic() < end, state
        time.sleep(0.2)
    told = requests.get(f"{site.url}/v1/projects/demo/regions/local/jobs/{made}/driveroutput", verify=str(site.ca), timeout=30,
                        headers={"Authorization": f"Bearer {as_user.token('caller')}"}).text
    assert state == "DONE" and all(f"{what}: {code}" in told.splitlines() for what, code in TOLD.items()), told
    spanner = setting.spanner_client(site, admin)
    assert [row.name.rpartition("/")[2] for row in spanner.list_instances()] == ["flights"]
    databases = [row.name.rpartition("/")[2] for row in spanner.instance("flights").list_databases()]
    assert "resolved" in databases and "unheard" not in databases

"""What the Spark-Spanner connector asks each time that it resolves a table: a database may be said to exist, but no job makes one, be
it here or at an upstream, whatever its account may do elsewhere."""
import time

import requests

import setting

PLACE = {"project_id": "demo", "region": "local"}


def test_a_job_makes_no_database(site, as_user):
    admin = as_user("admin")
    setting.create_database(site, admin, "resolved", setting.DDL)
    setting.dataproc_client(site, admin, "ClusterControllerClient").create_cluster(
        **PLACE, cluster={"project_id": "demo", "cluster_name": "makers"}).result(timeout=60)
    jobs = setting.dataproc_client(site, as_user("caller"))
    job = {"placement": {"cluster_name": "makers"},
           "pyspark_job": {"main_python_file_uri": f"file://{site.code}/makes.py", "args": ["resolved", "unheard"]}}
    made = jobs.submit_job(**PLACE, job=job).reference.job_id
    end = time.monotonic() + 120
    while (state := jobs.get_job(**PLACE, job_id=made).status.state.name) not in ("DONE", "ERROR", "CANCELLED"):
        assert time.monotonic() < end, state
        time.sleep(0.2)
    told = requests.get(f"{site.url}/v1/projects/demo/regions/local/jobs/{made}/driveroutput", verify=str(site.ca), timeout=30,
                        headers={"Authorization": f"Bearer {as_user.token('caller')}"}).text
    assert state == "DONE" and "resolved: ALREADY_EXISTS" in told and "unheard: PERMISSION_DENIED" in told, told
    databases = [row.name.rpartition("/")[2] for row in setting.spanner_client(site, admin).instance("flights").list_databases()]
    assert "resolved" in databases and "unheard" not in databases

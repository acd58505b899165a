# One image for the Airflow components and the Spark processes, so that the library is the same code everywhere
# (phase keys contain its version). The base is plain Python on Debian 12 and not apache/airflow: every package comes from
# requirements.txt, so nothing that a base image brings along can disagree with it, and Debian 12 has the Java 17
# that Spark 4 runs on.
FROM python:3.11-slim-bookworm

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
RUN apt-get update \
 && apt-get install --yes --no-install-recommends libgomp1=12.2.* openjdk-17-jre-headless=17.* tini=0.19.* \
 && rm -rf /var/lib/apt/lists/*

# Byte code is compiled now, because the user of the image cannot write it beside the packages.
ENV UV_COMPILE_BYTECODE=1
COPY requirements.txt /opt/emseg/
RUN pip install --no-cache-dir uv==0.13.9 \
 && uv pip install --system --no-cache --require-hashes -r /opt/emseg/requirements.txt

WORKDIR /opt/emseg
COPY . .
RUN uv pip install --system --no-cache --no-deps /opt/emseg \
 && useradd --create-home --uid 50000 --gid 0 emseg \
 && chmod --recursive g=u /home/emseg \
 && install --directory --owner=emseg --group=root --mode=0775 /opt/airflow

# OpenShift runs the image as a user without a name and home, of group 0: what asks for them finds these.
ENV HOME=/home/emseg USER=emseg
ENV PYTHONDONTWRITEBYTECODE=1 \
    SPARK_HOME=/usr/local/lib/python3.11/site-packages/pyspark \
    PYSPARK_PYTHON=/usr/local/bin/python3 \
    EMSEG_DATASETS=/opt/emseg/include/datasets \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/emseg/dags \
    AIRFLOW__CORE__PLUGINS_FOLDER=/opt/emseg/plugins \
    AIRFLOW__CORE__LOAD_EXAMPLES=False
ENV PATH="${PATH}:${SPARK_HOME}/bin"
# Nothing calls home: Great Expectations, Airflow, and the Scarf counters of both.
ENV GX_ANALYTICS_ENABLED=false \
    AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False \
    SCARF_ANALYTICS=false \
    DO_NOT_TRACK=1

# A number, so that Kubernetes can see that it is not root.
USER 50000
# tini passes signals on and reaps what Spark leaves behind. Commands: `airflow scheduler`, `airflow api-server`, ...;
# `spark-class org.apache.spark.deploy.worker.Worker spark://HOST:7077` for a worker of a standalone cluster; `driver`
# and `executor`, which Spark on Kubernetes asks for.
ENTRYPOINT ["tini", "-g", "--", "/opt/emseg/deploy/entrypoint.sh"]
CMD ["airflow", "standalone"]

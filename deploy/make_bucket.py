"""Make the bucket of EMSEG_S3_BUCKET on the server of EMSEG_S3_ENDPOINT, if it is not there yet."""

import os

import boto3

client = boto3.client("s3", endpoint_url=os.environ["EMSEG_S3_ENDPOINT"], region_name="us-east-1")
name = os.environ["EMSEG_S3_BUCKET"]
if name not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
    client.create_bucket(Bucket=name)

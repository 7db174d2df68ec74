// Fetches credentials with the AWS SDK for JavaScript as a pod would, by its
// default chain, and asks STS who has them. Nothing of the SDK is replaced or
// set: the endpoints come from the environment (AWS_EC2_METADATA_SERVICE_ENDPOINT
// or AWS_CONTAINER_CREDENTIALS_FULL_URI, AWS_ENDPOINT_URL, AWS_REGION). Prints one
// JSON object without the secret parts.

import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const client = new STSClient({});
const start = performance.now();
const credentials = await client.config.credentials();
const milliseconds = Math.round(performance.now() - start);
const identity = await client.send(new GetCallerIdentityCommand({}));
console.log(
  JSON.stringify({
    access_key_id: credentials.accessKeyId,
    expiration: credentials.expiration,
    milliseconds,
    arn: identity.Arn,
  }),
);

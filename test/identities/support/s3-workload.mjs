// A workload with the S3 client of AWS, unchanged: it has neither keys nor a region of its own. It says what it received, and waits until it has
// been looked at.
/* global process, console */

import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { fromInstanceMetadata } from '@smithy/credential-provider-imds';

const { ENDPOINT: endpoint, FOR_MS: forMs = '0', BY: by } = process.env;
const client = new S3Client({
  endpoint,
  forcePathStyle: true,
  maxAttempts: 1,
  ...(by === 'machine' ? { credentials: fromInstanceMetadata({ maxRetries: 1, timeout: 30_000 }) } : {}),
});
client.middlewareStack.add(
  (next) => async (args) => {
    const result = await next(args);
    console.log(JSON.stringify(result.response.headers));
    return result;
  },
  { step: 'deserialize' },
);
const { accessKeyId, secretAccessKey, sessionToken, expiration } = await client.config.credentials();
console.log(JSON.stringify({ accessKeyId, secretAccessKey, sessionToken, expiration }));

let count = 0;
const ends = Date.now() + Number(forMs);
async function work(name) {
  do {
    const Key = `${name}/${String(count)}`;
    await client.send(new PutObjectCommand({ Bucket: 'bucket', Key, Body: `kept ${Key}` }));
    const { Body } = await client.send(new GetObjectCommand({ Bucket: 'bucket', Key }));
    if ((await Body.transformToString()) !== `kept ${Key}`) throw new Error('it is another object');
    count += 1;
  } while (Date.now() < ends);
}
await Promise.all(['a', 'b', 'c', 'd'].map(work));
console.log(`worked ${String(count)}`);
process.stdin.resume();
process.stdin.once('end', () => process.exit(0));

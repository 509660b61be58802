// Object storage in path style. Signatures are not looked at.

import { createHash } from 'node:crypto';

import type { OriginResponse, OriginHandler, OriginRequest } from './handler.ts';
import { text } from './handler.ts';

const bucket = 'example-bucket';
const objectsMax = 200;
const modified = 'Wed, 01 Jan 2020 00:00:00 GMT';
const namespace = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';

const etag = (bytes: Uint8Array): string => `"${createHash('md5').update(bytes).digest('hex')}"`;
const xml = (body: string, status = 200): OriginResponse => ({
  ...text(`<?xml version="1.0" encoding="UTF-8"?>\n${body}`, 'application/xml'),
  status,
});

export function objectStorage(): OriginHandler {
  const objects = new Map<string, Buffer>([['hello.txt', Buffer.from('hello from s3\n')]]);
  return (request) => {
    const [, name, ...rest] = decodeURIComponent(request.path).split('/');
    if (name === '') return listBuckets();
    if (name !== bucket)
      return xml('<Error><Code>NoSuchBucket</Code><Message>No such bucket</Message></Error>', 404);
    const key = rest.join('/');
    return key === '' ? ofBucket(request, objects) : ofObject(request, objects, key);
  };
}

function listBuckets(): OriginResponse {
  const entry = `<Bucket><Name>${bucket}</Name><CreationDate>2020-01-01T00:00:00.000Z</CreationDate></Bucket>`;
  return xml(
    `<ListAllMyBucketsResult ${namespace}><Owner><ID>test</ID></Owner><Buckets>${entry}</Buckets></ListAllMyBucketsResult>`,
  );
}

function ofBucket({ query }: OriginRequest, objects: ReadonlyMap<string, Buffer>): OriginResponse {
  if (query.has('location')) return xml(`<LocationConstraint ${namespace}></LocationConstraint>`);
  const prefix = query.get('prefix') ?? '';
  const found = [...objects].filter(([key]) => key.startsWith(prefix));
  const entries = found.map(
    ([key, bytes]) =>
      `<Contents><Key>${key}</Key><LastModified>2020-01-01T00:00:00.000Z</LastModified><ETag>${etag(bytes)}</ETag><Size>${bytes.length}</Size><StorageClass>STANDARD</StorageClass></Contents>`,
  );
  return xml(
    `<ListBucketResult ${namespace}><Name>${bucket}</Name><Prefix>${prefix}</Prefix><KeyCount>${found.length}</KeyCount><MaxKeys>1000</MaxKeys><IsTruncated>false</IsTruncated>${entries.join('')}</ListBucketResult>`,
  );
}

/** The payload of a body that is sent in signed chunks (`aws-chunked`). */
function payload({ headers, body }: OriginRequest): Buffer {
  const isChunked =
    String(headers['x-amz-content-sha256']).startsWith('STREAMING-') ||
    String(headers['content-encoding']).includes('aws-chunked');
  if (!isChunked) return body;
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const end = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.subarray(at, end).toString('latin1'), 16);
    if (end < 0 || !(size > 0)) break;
    parts.push(body.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
  return Buffer.concat(parts);
}

function ofObject(request: OriginRequest, objects: Map<string, Buffer>, key: string): OriginResponse {
  const { method } = request;
  if (method === 'PUT') {
    const bytes = payload(request);
    if (objects.size < objectsMax) objects.set(key, bytes);
    return { headers: { etag: etag(bytes) } };
  }
  if (method === 'DELETE') {
    objects.delete(key);
    return { status: 204 };
  }
  const bytes = objects.get(key);
  if (bytes === undefined)
    return xml('<Error><Code>NoSuchKey</Code><Message>No such key</Message></Error>', 404);
  const [, from, to] = /^bytes=([0-9]+)-([0-9]*)$/.exec(String(request.headers.range ?? '')) ?? [];
  const common = { etag: etag(bytes), 'last-modified': modified, 'accept-ranges': 'bytes' };
  if (from === undefined) return { body: bytes, headers: { 'content-type': 'text/plain', ...common } };
  const last = to === undefined || to === '' ? bytes.length - 1 : Math.min(Number(to), bytes.length - 1);
  const range = { 'content-range': `bytes ${from}-${last}/${bytes.length}` };
  return { status: 206, body: bytes.subarray(Number(from), last + 1), headers: { ...common, ...range } };
}

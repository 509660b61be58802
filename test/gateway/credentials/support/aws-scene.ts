// A workload with the S3 client of AWS and dummy keys, behind the request path, in front of an origin that verifies.

import { Agent } from 'node:https';
import type { Duplex } from 'node:stream';
import { S3Client } from '@aws-sdk/client-s3';

import { sendRaw } from '../../support/raw-http.ts';
import type { RawResponse } from '../../support/raw-http.ts';
import { openRequestPath } from '../../support/request-path.ts';
import type { RequestPath } from '../../support/request-path.ts';
import type { CredentialConfig } from '../../../../src/gateway/credentials/credential-kinds.ts';

export const dummyKeys = {
  accessKeyId: 'upstreamproxy-placeholder-aws',
  secretAccessKey: 'upstreamproxy-placeholder-aws',
};

export interface AwsScene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly at: string;
  readonly agent: Agent;
  client(options?: ConstructorParameters<typeof S3Client>[0]): S3Client;
  /** A request written by hand, with `Connection: close`. */
  raw(bytes: string | Buffer): Promise<RawResponse>;
  /** Everything that the workload's connections received. */
  readonly received: () => string;
}

export interface AwsSceneOptions {
  readonly port: number;
  readonly trust: string;
  readonly credential: Omit<CredentialConfig & { readonly kind: 'sigv4' }, 'kind'>;
  readonly environment: Readonly<Record<string, string>>;
  /** Who opens the next connection. */
  readonly principal?: () => string;
}

/** An origin at `origin.test`, below whose names everything is admitted with the credential. */
export function openAwsScene({
  port,
  trust,
  credential,
  environment,
  principal = () => 'alice',
}: AwsSceneOptions): AwsScene {
  const path = openRequestPath({
    policy: `
rules:
  - name: aws
    hosts: [origin.test, bucket.origin.test]
    ports: ${port}
    addresses: 127.0.0.0/8
    inject: aws
`,
    hosts: ['origin.test', 'bucket.origin.test'],
    trust: [trust],
    credentials: { aws: { kind: 'sigv4', ...credential } },
    environment,
  });
  const at = `origin.test:${port}`;
  const chunks: Buffer[] = [];
  const connect = async (host: string): Promise<Duplex> => {
    const socket = await path.tls(`${host}:${port}`, { principal: principal() });
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    return socket;
  };
  const agent = new Agent({ keepAlive: true, maxSockets: 4 });
  // The documented hook: the agent's connections are streams of the request path.
  agent.createConnection = ({ host }, callback) => {
    connect(host ?? 'origin.test').then(
      (socket) => callback?.(null, socket),
      (error: unknown) => callback?.(error as Error, undefined as unknown as Duplex),
    );
    return undefined;
  };
  return {
    path,
    at,
    agent,
    client: (options = {}) =>
      new S3Client({
        endpoint: `https://${at}`,
        region: 'us-east-1',
        forcePathStyle: true,
        credentials: dummyKeys,
        requestHandler: { httpsAgent: agent },
        maxAttempts: 1,
        ...options,
      }),
    raw: async (bytes) => {
      const response = await sendRaw(await path.tls(at), bytes);
      chunks.push(Buffer.from(`${response.head}\n${response.body}`));
      return response;
    },
    received: () => Buffer.concat(chunks).toString('latin1'),
    [Symbol.asyncDispose]: async () => {
      agent.destroy();
      await path[Symbol.asyncDispose]();
    },
  };
}

// One credential, one rule that injects it at /in, one that does not at /out, and an origin that says what it saw.

import assert from 'node:assert/strict';
import { createServer, type ServerOptions } from 'node:https';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { inspect } from 'node:util';

import type { CredentialConfig } from '../../../../src/gateway/credentials/credential-config.ts';
import { findCanary } from '../../../support/canary.ts';
import { createTestAuthority } from '../../../support/test-authority.ts';
import { get, sendRaw } from '../../support/raw-http.ts';
import type { RawAnswer } from '../../support/raw-http.ts';
import { openRequestPath } from '../../support/request-path.ts';
import type { RequestPath } from '../../support/request-path.ts';

export const authority = createTestAuthority();

export interface Seen {
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
  /** Subject of the verified client certificate. */
  readonly clientSubject: string | undefined;
}

export interface CredentialScene extends AsyncDisposable {
  readonly path: RequestPath;
  readonly at: string;
  readonly seen: readonly Seen[];
  /** Everything that the workload received. */
  readonly received: () => string;
  get(target: string, ...fields: readonly string[]): Promise<RawAnswer>;
  /** The secret reached the origin, and is in nothing that the workload, the audit or a log got. */
  assertKept(secret: string): void;
}

export interface CredentialSceneOptions {
  readonly credential: CredentialConfig;
  readonly environment?: Readonly<Record<string, string>>;
  /** Options of the origin's TLS beside its certificate. */
  readonly tls?: ServerOptions;
}

/** The origin repeats the target and all fields it saw, in its answer's head and body. */
export async function openCredentialScene(options: CredentialSceneOptions): Promise<CredentialScene> {
  const seen: Seen[] = [];
  const server = createServer({ ...authority.issue('origin.test'), ...options.tls }, (request, response) => {
    // Every connection of an HTTPS server is a TLS socket.
    const socket = request.socket as TLSSocket;
    const subject = socket.authorized ? socket.getPeerCertificate().subject?.CN : undefined;
    const clientSubject = Array.isArray(subject) ? subject.join() : subject;
    seen.push({ target: request.url ?? '', headers: request.headers, clientSubject });
    response.setHeader('x-target', request.url ?? '');
    response.setHeader('x-authorization', request.headers.authorization ?? 'none');
    response.end(`${request.url ?? ''}\n${JSON.stringify(request.headers)}\n`);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // Listening on a port, not on a path.
  const { port } = server.address() as AddressInfo;
  const path = openRequestPath({
    policy: policyFor(port),
    hosts: ['origin.test'],
    trust: [authority.caPem],
    credentials: { it: options.credential },
    environment: options.environment ?? {},
  });
  const at = `origin.test:${port}`;
  const answers: RawAnswer[] = [];
  const received = (): string => answers.map(({ head, body }) => `${head}\n${body}`).join('\n');
  return {
    path,
    at,
    seen,
    received,
    get: async (target, ...fields) => {
      const answer = await sendRaw(await path.tls(at), get(at, target, ...fields));
      answers.push(answer);
      return answer;
    },
    assertKept: (secret) => {
      // Positive control: the same search finds it in what the origin saw.
      assert.notDeepEqual(
        findCanary(decoded(JSON.stringify(seen)), secret),
        [],
        'it never reached the origin',
      );
      assert.ok(answers.length > 0 && path.audit.length >= answers.length);
      assert.deepEqual(findCanary(decoded(received()), secret), []);
      assert.deepEqual(findCanary(JSON.stringify(path.audit), secret), []);
      assert.deepEqual(findCanary(inspect(path.parts, { depth: 12 }), secret), []);
    },
    [Symbol.asyncDispose]: async () => {
      await path[Symbol.asyncDispose]();
      server.close();
      server.closeAllConnections();
    },
  };
}

const policyFor = (port: number): string => `
rules:
  - name: in
    hosts: origin.test
    ports: ${port}
    addresses: 127.0.0.0/8
    paths: /in/**
    inject: it
  - name: out
    hosts: origin.test
    ports: ${port}
    addresses: 127.0.0.0/8
    paths: /out/**
`;

/** With percent-encoding undone as well. */
function decoded(text: string): string {
  return (
    text + text.replace(/%([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  );
}

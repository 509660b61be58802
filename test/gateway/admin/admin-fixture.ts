// The admin API over a store in memory, with two teams: their sessions, events and requests for access.

import { request } from 'node:http';
import { join } from 'node:path';
import { auditEventVersion } from '../../../src/api/audit-event-version.ts';
import type { AuditEvent } from '../../../src/api/audit-event.ts';
import type { AdminRole } from '../../../src/api/admin/roles.ts';
import type { AdminParts } from '../../../src/gateway/admin/admin-parts.ts';
import type { BrowserLogIn } from '../../../src/gateway/admin/browser-log-in.ts';
import { listenAdmin } from '../../../src/gateway/admin/admin-server.ts';
import type { LinkLogIn } from '../../../src/gateway/admin/link-log-in.ts';
import { PolicyReads } from '../../../src/gateway/admin/policy-reads.ts';
import { WholeAuditReads } from '../../../src/gateway/admin/whole-audit.ts';
import { Followers } from '../../../src/gateway/admin/followers.ts';
import { createSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { digestOfToken, newOperatorToken } from '../../../src/gateway/admin/operator.ts';
import { SessionAudit } from '../../../src/gateway/audit/session-audit.ts';
import type { AdminListen } from '../../../src/gateway/config/admin-settings.ts';
import { embeddedConfig } from '../../../src/gateway/config/config.ts';
import { Metrics } from '../../../src/gateway/metrics.ts';
import { loadPolicyHere } from '../../../src/gateway/policies/policy-loading.ts';
import type { ProxyError } from '../../../src/protocol/error.ts';
import type { LimitName } from '../../../src/protocol/limits.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import type { OperatorToken } from '../../../src/store/operator-store.ts';
import { openStore } from '../../../src/store/open-store.ts';
import type { Store } from '../../../src/store/store.ts';
import { newSession } from '../../conformance/new-session.ts';
import { policyOf } from '../../policy/fixture.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { RecordingAudit, startMs } from '../session-fixture.ts';

export interface AdminResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly text: string;
  /** The body, if it is JSON. */
  readonly json: unknown;
}

export interface CallOptions {
  readonly token?: string | undefined;
  /** Sent as it is if it is text, else as JSON. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface AdminScene extends AsyncDisposable {
  readonly socket: string;
  /** 0 where it listens on none. */
  readonly port: number;
  readonly store: Store;
  readonly parts: AdminParts;
  readonly audit: RecordingAudit;
  readonly limits: LimitName[];
  readonly strangers: ProxyError[];
  readonly logged: string[];
  nowMs: number;
  call(method: string, path: string, options?: CallOptions): Promise<AdminResponse>;
  token(role: AdminRole, changes?: Partial<OperatorToken>): Promise<string>;
  append(events: readonly AuditEvent[]): Promise<void>;
}

export function event(id: string, changes: Partial<AuditEvent> = {}): AuditEvent {
  return {
    v: auditEventVersion,
    id,
    time: new Date(startMs).toISOString(),
    kind: 'exchange',
    traceId: '0af7651916cd43dd8448eb211c80319c',
    verdict: 'allow',
    host: 'api.example.com',
    method: 'GET',
    path: '/v1/items?page=1',
    status: 200,
    sessionId: 'red',
    principal: 'issuer|red',
    rule: 'read',
    ...changes,
  };
}

export const policyText = 'rules:\n  - { name: read, hosts: api.example.com, methods: [GET] }\n';

async function fill(store: Store): Promise<void> {
  for (const team of ['red', 'blue']) {
    await store.sessions.enrol(
      newSession(team, { tokenKey: `token of ${team}`, claims: { team }, principalId: `issuer|${team}` }),
      { enrolmentsPerTokenMax: 10 },
    );
    await store.sessions.commit(team, startMs);
    await store.access.file(
      {
        id: `wish of ${team}`,
        sessionId: team,
        principalId: `issuer|${team}`,
        scheme: 'https',
        host: 'docs.example.com',
        port: 443,
        method: 'GET',
        path: '/guide',
        reason: 'the task needs it',
        createdMs: startMs,
        pendingUntilMs: startMs + 3_600_000,
      },
      defaultLimits,
    );
  }
}

/** What log-in at an identity provider stands on here. */
export interface LogInSceneNeeds {
  readonly store: Store;
  readonly audit: SessionAudit;
  readonly clock: () => number;
  readonly onLimit: (limit: LimitName) => void;
}

export async function openAdminScene(
  socketRoles: ReadonlyMap<number, AdminRole> = new Map(),
  listen?: AdminListen,
  consoleFolder?: string,
  link?: LinkLogIn,
  openLogIn?: (needs: LogInSceneNeeds) => Promise<BrowserLogIn>,
): Promise<AdminScene> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const store = stack.use(await openStore('sqlite::memory:'));
  await fill(store);
  const audit = new RecordingAudit();
  const records = new SessionAudit(audit);
  const policy = policyOf(policyText);
  const faults: ProxyError[] = [];
  const followers = stack.use(new Followers({ audit: store.audit, onFault: (error) => faults.push(error) }));
  const [limits, strangers, logged]: [LimitName[], ProxyError[], string[]] = [[], [], []];
  const metrics = new Metrics();
  const clock = { nowMs: startMs };
  const parts: AdminParts = {
    store,
    link,
    operators: link?.operators ?? store.operators,
    logIn: await openLogIn?.({
      store,
      audit: records,
      clock: () => clock.nowMs,
      onLimit: (limit) => limits.push(limit),
    }),
    signingKey: createSigningKey(),
    config: {
      ...embeddedConfig(path),
      admin: { socket: undefined, socketRoles: {}, sessionTokens: 'operator' },
      credentials: {
        github: {
          kind: 'bearer',
          source: { kind: 'env', variable: 'NEVER_SHOWN' },
          placeholder: { env: ['GITHUB_TOKEN'] },
        } as never,
      },
    },
    record: (step) => records.record(step),
    policies: {
      current: () => policy,
      reload: () => Promise.resolve(),
      onChange: () => undefined,
      ageMs: () => 2000,
      staleMs: () => 0,
      taken: () => Promise.resolve(true),
      texts: () => [{ name: 'policy.yaml', text: policyText }],
    },
    policy: () => policy,
    metricsText: () => Promise.resolve('upstreamproxy_tunnels 2\n'),
    limitsReached: () => Promise.resolve(metrics.counts().limitHits),
    tunnels: () => Promise.resolve(2),
    isReady: () => true,
    isAuditHealthy: () => Promise.resolve(audit.healthy),
    version: '0.1.0',
    startedMs: startMs,
    clock: () => clock.nowMs,
    followers,
    captured: {
      read: (id) =>
        Promise.resolve(
          id === 'e1'
            ? { request: { bytes: new Uint8Array(Buffer.from('{}')), isWhole: true, redacted: 0 } }
            : undefined,
        ),
      readRecording: (id) =>
        Promise.resolve(
          id === 'e2'
            ? {
                text: `${'{"version":2}\n[0,"o","a"]\n'}[1,"o","${'b'.repeat(1 << 20)}"]\n`,
                isWhole: true,
                bytes: 9,
              }
            : undefined,
        ),
    },
    // From source, each thread would take the types out of some hundred files again. `readOnThreads` has it as a gateway does.
    policyReads: new PolicyReads(loadPolicyHere),
    wholeAudit: new WholeAuditReads(),
  };
  const socket = join(path, 'admin', 'admin.sock');
  const server = await listenAdmin({
    parts,
    socket,
    socketRoles,
    listen,
    ...(consoleFolder === undefined ? {} : { consoleFolder }),
    log: (_, message) => logged.push(message),
    onLimit: (limit) => limits.push(limit),
    onStranger: (error) => strangers.push(error),
  });
  stack.use(server);
  const owned = stack.move();
  return {
    socket,
    port: server.port ?? 0,
    store,
    parts,
    audit,
    limits,
    strangers,
    logged,
    get nowMs() {
      return clock.nowMs;
    },
    set nowMs(value: number) {
      clock.nowMs = value;
    },
    call: (method, target, options) => call(socket, { method, target, ...options }),
    token: async (role, changes = {}) => {
      const token = newOperatorToken();
      const made: OperatorToken = {
        id: `id of ${token.slice(-8)}`,
        digest: digestOfToken(token),
        name: role,
        role,
        createdMs: clock.nowMs,
        createdBy: 'test',
        expiresMs: clock.nowMs + 3_600_000,
        ...changes,
      };
      await store.operators.add(made, { operatorTokensMax: 1000 });
      return token;
    },
    append: async (events) => {
      await store.audit.append(
        events.map((one) => ({
          id: one.id,
          verdict: one.verdict,
          kind: one.kind,
          timeMs: Date.parse(one.time),
          json: JSON.stringify(one),
          ...(one.sessionId === undefined ? {} : { sessionId: one.sessionId }),
        })),
      );
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** From now on policies of requests are read on threads of their own. */
export function readOnThreads({ parts }: AdminScene): void {
  Object.assign(parts, { policyReads: new PolicyReads() });
}

async function call(
  socketPath: string,
  {
    method,
    target,
    token,
    body,
    headers = {},
  }: { readonly method: string; readonly target: string } & CallOptions,
): Promise<AdminResponse> {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  return await new Promise((resolve, reject) => {
    const asked = request({
      socketPath,
      method,
      path: target,
      agent: false,
      headers: {
        host: 'localhost',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        ...headers,
      },
    });
    asked.on('error', reject);
    asked.on('response', (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.on('error', reject);
      response.on('end', () => {
        const all = Buffer.concat(pieces).toString('utf8');
        const type = response.headers['content-type'] ?? '';
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: all,
          json: type.includes('json') ? JSON.parse(all) : undefined,
        });
      });
    });
    asked.end(text);
  });
}

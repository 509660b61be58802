// An agent's half of the session API, and a session service over a store in memory.

import { createHash, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto';
import type { AuditEvent } from '../../src/api/audit-event.ts';
import { defaultLimits, type Limits } from '../../src/protocol/limits.ts';
import { sessionPath, type Posture } from '../../src/protocol/session-messages.ts';
import type { DurableAuditSink } from '../../src/gateway/audit/audit-log.ts';
import { openSessionService, type SessionService } from '../../src/gateway/sessions/session-service.ts';
import type { SessionServiceOptions } from '../../src/gateway/sessions/session-service-options.ts';
import type { SessionRequest } from '../../src/gateway/sessions/session-authenticator.ts';
import { ownIssuer } from '../../src/gateway/sessions/session-token.ts';
import { createSigningKey, type SigningKey } from '../../src/gateway/sessions/signing-key.ts';
import { issueSessionToken } from '../../src/gateway/sessions/token-issuer.ts';
import { assertValidEvent } from '../support/valid-event.ts';
import { openStore } from '../../src/store/open-store.ts';
import type { StoreAbsence } from '../../src/store/store-outage.ts';
import type { Store } from '../../src/store/store.ts';

export const origin = 'https://gateway.test:8443';
export const enrolUrl = `${origin}${sessionPath}`;
export const issuer = 'https://gateway.test';
export const audience = 'upstreamproxy';
/** 2026-01-01T00:00:00Z. */
export const startMs = 1_767_225_600_000;

export const posture: Posture = {
  runtime: 'node',
  runtimeVersion: '26.10.0',
  platform: 'linux',
  nondumpable: true,
  execOnly: false,
  untraced: true,
  coreLimitZero: true,
  inspectorClosed: true,
  environmentClean: true,
  jailed: false,
  uid: 1000,
  notes: ['execOnly: the executable can be read'],
};

export interface AgentKey {
  readonly privateKey: KeyObject;
  readonly jwk: { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string };
}

export function createAgentKey(): AgentKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  return { privateKey, jwk: { kty: 'OKP', crv: 'Ed25519', x } };
}

export const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export interface ProofOptions {
  readonly method?: string;
  readonly url?: string;
  readonly nowMs?: number;
  readonly accessToken?: string;
  readonly header?: Readonly<Record<string, unknown>>;
  readonly claims?: Readonly<Record<string, unknown>>;
}

/** A DPoP proof made by hand, as an agent makes it; `header` and `claims` override what is right. */
export function proofOf(key: AgentKey, options: ProofOptions = {}): string {
  const { method = 'POST', url = enrolUrl, nowMs = startMs, accessToken } = options;
  const ath =
    accessToken === undefined ? {} : { ath: createHash('sha256').update(accessToken).digest('base64url') };
  const header = { typ: 'dpop+jwt', alg: 'EdDSA', jwk: key.jwk, ...options.header };
  const claims = {
    htm: method,
    htu: url,
    iat: Math.floor(nowMs / 1000),
    jti: randomUUID(),
    ...ath,
    ...options.claims,
  };
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${sign(null, Buffer.from(input), key.privateKey).toString('base64url')}`;
}

/** An audit sink that keeps its events. */
export class RecordingAudit implements DurableAuditSink {
  readonly events: AuditEvent[] = [];
  healthy = true;

  append(event: AuditEvent): void {
    assertValidEvent(event);
    this.events.push(event);
  }

  async flush(): Promise<void> {}

  get actions(): readonly (string | undefined)[] {
    return this.events.map(({ action }) => action);
  }
}

export interface TestSessions extends AsyncDisposable {
  readonly service: SessionService;
  readonly store: Store;
  readonly audit: RecordingAudit;
  readonly signingKey: SigningKey;
  /** Moves the clock of all requests that follow. */
  advance(milliseconds: number): void;
  nowMs(): number;
  token(claims?: Readonly<Record<string, unknown>>): string;
  enrol(token: string, key?: AgentKey): Promise<TestAgent>;
}

/** An enrolled agent: makes the requests that follow. */
export interface TestAgent {
  readonly sessionId: string;
  readonly accessToken: string;
  readonly key: AgentKey;
  request(method: string, path: string): SessionRequest;
}

export async function openTestSessions(
  options: {
    readonly store?: Store;
    readonly limits?: Partial<Limits>;
    readonly signingKey?: SigningKey;
    readonly absence?: StoreAbsence;
    /** What ended counts as just read, whatever the machine does meanwhile, unless this says otherwise. */
    readonly ticks?: () => number;
    readonly nonces?: SessionServiceOptions['nonces'];
  } = {},
): Promise<TestSessions> {
  const store = options.store ?? (await openStore('sqlite::memory:'));
  const signingKey = options.signingKey ?? createSigningKey();
  const audit = new RecordingAudit();
  let now = startMs;
  const service = await openSessionService({
    store,
    audit,
    signingKey,
    issuer,
    audience,
    trust: [ownIssuer(signingKey, issuer)],
    sessionFacts: () => ({
      placeholders: { API_KEY: 'placeholder' },
      capturePorts: [8080],
      modes: ['raw', 'tls'],
    }),
    limits: { ...defaultLimits, ...options.limits },
    clock: () => now,
    ticks: options.ticks ?? (() => 0),
    absence: options.absence,
    ...(options.nonces === undefined ? {} : { nonces: options.nonces }),
  });
  const token = (claims?: Readonly<Record<string, unknown>>): string =>
    issueSessionToken({
      key: signingKey,
      issuer,
      audience,
      subject: 'job-1',
      ttlSeconds: 600,
      nowMs: now,
      ...(claims === undefined ? {} : { claims }),
    });
  const enrol = async (sessionToken: string, key = createAgentKey()): Promise<TestAgent> => {
    const response = await service.enrol({
      token: sessionToken,
      proof: proofOf(key, { nowMs: now }),
      url: enrolUrl,
      body: { key: key.jwk, posture, agent: { version: '0.1.0' } },
      nowMs: now,
    });
    const accessToken = response.access_token;
    return {
      sessionId: response.session_id,
      accessToken,
      key,
      request: (method, path) => ({
        authorization: `DPoP ${accessToken}`,
        proof: proofOf(key, { method, url: `${origin}${path}`, nowMs: now, accessToken }),
        method,
        url: `${origin}${path}`,
        nowMs: now,
      }),
    };
  };
  return {
    service,
    store,
    audit,
    signingKey,
    token,
    enrol,
    nowMs: () => now,
    advance: (milliseconds) => {
      now += milliseconds;
    },
    [Symbol.asyncDispose]: async () => {
      await service.close();
      await store.close();
    },
  };
}

// What the tests need of Vault's HTTP API, written from its documentation: log-in by token, Kubernetes and AppRole, KV
// version 2, dynamic secrets with leases, renewal up to a maximum, revocation. Leases end with the token that made them.

import { randomBytes } from 'node:crypto';

import { openService } from './service.ts';
import type { ServiceCall, ServiceReply, TestService } from './service.ts';

interface Token {
  readonly createdMs: number;
  readonly ttlMs: number;
  readonly maxMs: number;
  endsAtMs: number;
}
interface Lease {
  readonly token: string;
  readonly createdMs: number;
  readonly secret: string;
  readonly username: string;
  /** Keys of a role that was assumed cannot be prolonged. */
  readonly renewable: boolean;
  endsAtMs: number;
}

export interface VaultServerOptions {
  readonly clock: () => number;
  readonly namespace?: string;
  readonly tokenTtlMs?: number;
  readonly tokenMaxMs?: number;
  readonly leaseMs?: number;
  readonly leaseMaxMs?: number;
  /** What database/creds/app makes and ends: users of a real server. One that fails to end a user is asked again. */
  readonly users?: DatabaseUsers;
}

export interface DatabaseUsers {
  make(user: DatabaseUser): Promise<void>;
  end(username: string): Promise<void>;
}

export interface DatabaseUser {
  readonly username: string;
  readonly password: string;
}

export interface VaultServer extends TestService {
  /** A token of the operator. */
  makeToken(ttlMs?: number): string;
  revokeToken(token: string): void;
  /** Writes a new version of `secret/NAME`. */
  put(name: string, data: Readonly<Record<string, unknown>>): void;
  deleteLatest(name: string): void;
  /** Whether a password of `database/creds/app` works at the database. */
  isLive(secret: string): boolean;
  readonly secrets: readonly string[];
  readonly liveTokens: readonly string[];
  /** Names of leases that have not ended. */
  readonly liveLeases: readonly string[];
  /** Names of leases that were to be given back, each as often as that was asked. */
  readonly givenBack: readonly string[];
  /** Responds to all with 503, as a sealed one. */
  isSealed: boolean;
  /** Takes no lease back, as where its database does not respond. */
  refusesReturns: boolean;
  /** Where it is set, a lease is given, and the response comes once this has ended. */
  beforeLeases: (() => Promise<void>) | undefined;
  /** A balancer before it does not wait for a lease that is given. */
  losesLeases: boolean;
}

export const roleJwt = 'eyJ.of-the-pod.x';
export const approle = { roleId: 'role-of-the-gateway', secretId: 'f3a9c1-secret-id' } as const;

export async function openVaultServer(options: VaultServerOptions): Promise<VaultServer> {
  const vault = new FakeVault(options);
  const service = await openService((call) => vault.respond(call));
  return Object.assign(vault, service);
}

class FakeVault {
  readonly #options: VaultServerOptions;
  readonly #tokens = new Map<string, Token>();
  readonly #leases = new Map<string, Lease>();
  readonly #versions = new Map<string, (Readonly<Record<string, unknown>> | undefined)[]>();
  readonly givenBack: string[] = [];
  isSealed = false;
  refusesReturns = false;
  beforeLeases: (() => Promise<void>) | undefined;
  losesLeases = false;

  constructor(options: VaultServerOptions) {
    this.#options = options;
  }

  get secrets(): readonly string[] {
    return [...this.#leases.values()].map(({ secret }) => secret);
  }

  get liveTokens(): readonly string[] {
    return [...this.#tokens.keys()].filter((token) => this.#tokenOf(token) !== undefined);
  }

  get liveLeases(): readonly string[] {
    const nowMs = this.#options.clock();
    return [...this.#leases].flatMap(([id, { endsAtMs }]) => (endsAtMs > nowMs ? [id] : []));
  }

  makeToken(ttlMs = this.#options.tokenTtlMs ?? 3_600_000): string {
    const token = `hvs.${randomBytes(18).toString('hex')}`;
    const createdMs = this.#options.clock();
    const maxMs = this.#options.tokenMaxMs ?? 10 * ttlMs;
    const endsAtMs = ttlMs === 0 ? Number.POSITIVE_INFINITY : createdMs + ttlMs;
    this.#tokens.set(token, { createdMs, ttlMs, maxMs, endsAtMs });
    return token;
  }

  revokeToken(token: string): void {
    this.#tokens.delete(token);
    for (const [id, lease] of this.#leases) if (lease.token === token) void this.#endLease(id);
  }

  put(name: string, data: Readonly<Record<string, unknown>>): void {
    this.#versions.set(name, [...(this.#versions.get(name) ?? []), data]);
  }

  deleteLatest(name: string): void {
    this.#versions.set(name, [...(this.#versions.get(name) ?? []).slice(0, -1), undefined]);
  }

  isLive(secret: string): boolean {
    return [...this.#leases.values()].some(
      (lease) =>
        lease.secret === secret &&
        lease.endsAtMs > this.#options.clock() &&
        this.#tokenOf(lease.token) !== undefined,
    );
  }

  respond({ method, path, headers, body }: ServiceCall): ServiceReply | Promise<ServiceReply> {
    if (this.isSealed) return errors(503, 'Vault is sealed');
    // CLI and agents send it; a server behind an agent may demand it.
    if (headers['x-vault-request'] !== 'true') return errors(412, 'missing X-Vault-Request header');
    const { namespace } = this.#options;
    if (namespace !== undefined && headers['x-vault-namespace'] !== namespace)
      return errors(404, 'no handler for route');
    if (method === 'POST' && /^\/v1\/auth\/[\w/-]+\/login$/.test(path)) return this.#login(path, body);
    const token = String(headers['x-vault-token'] ?? '');
    const known = this.#tokenOf(token);
    if (known === undefined) return errors(403, 'permission denied', 'invalid token');
    switch (`${method} ${path}`) {
      case 'GET /v1/auth/token/lookup-self':
        return { status: 200, body: { data: this.#factsOf(known) } };
      case 'POST /v1/auth/token/renew-self':
        return this.#renewToken(token, known);
      case 'PUT /v1/auth/token/revoke-self':
        this.revokeToken(token);
        return { status: 204 };
      case 'PUT /v1/sys/leases/renew':
        return this.#renewLease(fieldOf(body, 'lease_id'), Number(fieldOf(body, 'increment')));
      case 'PUT /v1/sys/leases/revoke':
        return this.#giveBack(fieldOf(body, 'lease_id'));
      case 'GET /v1/database/creds/app':
        return this.#newLease('database/creds/app', token);
      case 'GET /v1/aws/creds/app':
      case 'GET /v1/aws/sts/app':
        return this.#newLease(path.slice('/v1/'.length), token);
      case 'GET /v1/secret/data/forbidden':
        return errors(403, '1 error occurred:\n\t* permission denied\n\n');
      default:
        return method === 'GET' ? this.#readVersion(path) : errors(405);
    }
  }

  #login(path: string, body: unknown): ServiceReply {
    const isKubernetes = path === '/v1/auth/kubernetes/login' || path === '/v1/auth/clusters/one/login';
    if (isKubernetes) {
      if (fieldOf(body, 'role') !== 'gateway')
        return errors(400, `invalid role name "${fieldOf(body, 'role')}"`);
      if (fieldOf(body, 'jwt') !== roleJwt) return errors(403, 'permission denied');
    } else if (path === '/v1/auth/approle/login') {
      const fits =
        fieldOf(body, 'role_id') === approle.roleId && fieldOf(body, 'secret_id') === approle.secretId;
      if (!fits) return errors(400, 'invalid role or secret ID');
    } else {
      return errors(404, 'no handler for route');
    }
    return this.#auth(this.makeToken());
  }

  #auth(token: string): ServiceReply {
    const known = this.#tokens.get(token);
    const seconds = known === undefined ? 0 : this.#secondsLeft(known.endsAtMs);
    return {
      status: 200,
      body: {
        auth: { client_token: token, lease_duration: seconds, renewable: true, policies: ['default'] },
        lease_id: '',
        data: null,
      },
    };
  }

  #renewToken(token: string, known: Token): ServiceReply {
    known.endsAtMs = Math.min(this.#options.clock() + known.ttlMs, known.createdMs + known.maxMs);
    return this.#auth(token);
  }

  #factsOf({ endsAtMs, ttlMs }: Token): object {
    const isEndless = endsAtMs === Number.POSITIVE_INFINITY;
    return {
      ttl: isEndless ? 0 : this.#secondsLeft(endsAtMs),
      creation_ttl: ttlMs / 1000,
      renewable: !isEndless,
      type: 'service',
    };
  }

  async #newLease(path: string, token: string): Promise<ServiceReply> {
    const id = `${path}/${randomBytes(9).toString('hex')}`;
    const secret = `canary${randomBytes(18).toString('hex')}`;
    const username = `v-${secret.slice(-6)}`;
    const nowMs = this.#options.clock();
    const leaseMs = this.#options.leaseMs ?? 3_600_000;
    const isAws = path.startsWith('aws/');
    const renewable = !path.startsWith('aws/sts/');
    const lease = { token, secret, username, createdMs: nowMs, endsAtMs: nowMs + leaseMs, renewable };
    this.#leases.set(id, lease);
    if (!isAws) await this.#options.users?.make({ username, password: secret });
    await this.beforeLeases?.();
    if (this.losesLeases) return errors(504);
    const data = isAws
      ? {
          access_key: `AKIA${secret.slice(-16).toUpperCase()}`,
          secret_key: secret,
          security_token: renewable ? null : `token${secret}`,
        }
      : { username, password: secret };
    return { status: 200, body: { lease_id: id, lease_duration: leaseMs / 1000, renewable, data } };
  }

  /** With `sync` it waits until what was made is ended; one that it does not know counts as ended. */
  async #giveBack(id: string): Promise<ServiceReply> {
    this.givenBack.push(id);
    if (this.refusesReturns) return errors(400, 'failed to revoke entry: connection refused');
    try {
      await this.#endLease(id);
      return { status: 204 };
    } catch {
      return errors(400, 'failed to revoke entry');
    }
  }

  #renewLease(id: string, increment: number): ServiceReply {
    const lease = this.#leases.get(id);
    const nowMs = this.#options.clock();
    if (lease === undefined || lease.endsAtMs <= nowMs) return errors(400, 'lease not found');
    if (!lease.renewable) return errors(400, 'lease is not renewable');
    const maxMs = this.#options.leaseMaxMs ?? 86_400_000;
    lease.endsAtMs = Math.min(nowMs + increment * 1000, lease.createdMs + maxMs);
    return {
      status: 200,
      body: { lease_id: id, lease_duration: this.#secondsLeft(lease.endsAtMs), renewable: true },
    };
  }

  async #endLease(id: string): Promise<void> {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    if (id.startsWith('database/')) await this.#options.users?.end(lease.username);
    lease.endsAtMs = 0;
  }

  #readVersion(path: string): ServiceReply {
    const name = /^\/v1\/secret\/data\/([\w/-]+)$/.exec(path)?.[1];
    if (name === undefined) return errors(404);
    const versions = this.#versions.get(name) ?? [];
    const latest = versions.at(-1);
    const metadata = { version: versions.length, destroyed: false, created_time: '2026-01-01T00:00:00Z' };
    if (versions.length === 0) return errors(404);
    const lease = { lease_id: '', lease_duration: 0, renewable: false };
    if (latest === undefined) {
      const deleted = { ...metadata, deletion_time: '2026-01-02T00:00:00Z' };
      return { status: 404, body: { ...lease, data: { data: null, metadata: deleted } } };
    }
    return {
      status: 200,
      body: { ...lease, data: { data: latest, metadata: { ...metadata, deletion_time: '' } } },
    };
  }

  #tokenOf(token: string): Token | undefined {
    const known = this.#tokens.get(token);
    return known !== undefined && known.endsAtMs > this.#options.clock() ? known : undefined;
  }

  #secondsLeft(endsAtMs: number): number {
    return Math.floor((endsAtMs - this.#options.clock()) / 1000);
  }
}

const errors = (status: number, ...messages: readonly string[]): ServiceReply => ({
  status,
  body: { errors: messages },
});

function fieldOf(body: unknown, name: string): string {
  // Only read: whatever it is, an absent field is no text.
  const value = (body as Readonly<Record<string, unknown>> | undefined)?.[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

// Credentials that are one of each session: opened when it first uses one, and closed with it.

import { ProxyError } from '../../protocol/error.ts';
import type { SessionVaults, Vaults, VaultSources } from './vault/vaults.ts';
import type { LeaseSession, SessionLeases } from './leases/session-leases.ts';

interface Of<Opened> {
  readonly vaults: SessionVaults;
  readonly opened: Map<string, Opened>;
}

export interface SessionCredentialsOptions<Opened extends Disposable> {
  readonly vaults: Vaults;
  /** Absent: nobody has a lease of its own here. */
  readonly leases: SessionLeases | undefined;
  readonly open: (name: string, vaults: VaultSources, session: LeaseSession) => Opened;
}

export class SessionCredentials<Opened extends Disposable> {
  readonly #options: SessionCredentialsOptions<Opened>;
  /** Of sessions that live: whoever ends one says so. */
  readonly #sessions = new Map<string, Of<Opened>>();

  constructor(options: SessionCredentialsOptions<Opened>) {
    this.#options = options;
    if (options.leases !== undefined) options.leases.onOver = (rootId) => void this.forget(rootId);
  }

  /** @throws ProxyError credential_unavailable */
  of(name: string, session: LeaseSession | undefined): Opened {
    const { vaults, leases, open } = this.#options;
    if (session === undefined || leases === undefined)
      throw new ProxyError(
        'credential_unavailable',
        `credential ${name} is one of each session (perSession), and this is none`,
      );
    let own = this.#sessions.get(session.rootId);
    if (own === undefined) {
      own = { vaults: vaults.ofSession(session, leases), opened: new Map() };
      this.#sessions.set(session.rootId, own);
    }
    const opened = own.opened.get(name) ?? open(name, own.vaults, session);
    own.opened.set(name, opened);
    return opened;
  }

  /** The session is over: what it has is given back by who looks for that. True if it had something. */
  forget(rootId: string): boolean {
    const own = this.#sessions.get(rootId);
    if (own === undefined) return false;
    this.#sessions.delete(rootId);
    own.vaults.close();
    for (const opened of own.opened.values()) opened[Symbol.dispose]();
    this.#options.leases?.forget(rootId);
    return true;
  }

  /** Of all sessions: nothing is read any more. */
  close(): void {
    for (const { vaults } of this.#sessions.values()) vaults.close();
  }
}

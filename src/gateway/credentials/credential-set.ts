// The credentials of the configuration by name. A request gets only those of the rule that admitted it.

import type { RequestHead } from '../../http/message-head.ts';
import type { Injection } from '../../policy/decision.ts';
import { ProxyError } from '../../protocol/error.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import type { UpstreamTls } from '../forward/forwarder.ts';
import { BackgroundRenewals } from './sources/background-renewals.ts';
import { chainRewrites } from './request/body-rewrite.ts';
import type { BodyFacts, BodyRewrite } from './request/body-rewrite.ts';
import { openCredential, placeholderVariables } from './credential-kinds.ts';
import type { CredentialConfig } from './credential-kinds.ts';
import type {
  Credential,
  CredentialKey,
  CredentialLogin,
  SigningCredential,
} from './kinds/credential-kind.ts';
import type { SoughtInMessages } from './request/placeholder-messages.ts';
import { Emulations } from './emulation/emulations.ts';
import type { CredentialContext } from './kinds/open-source.ts';
import type { CredentialSourceConfig } from './sources/source-config.ts';
import { foreignCredentials, withoutForeign } from './foreign-credentials.ts';
import type { ForeignCredentials } from './foreign-credentials.ts';
import { withCredential } from './source-fault.ts';
import { LeakValues } from '../leaks/leak-values.ts';
import { isCheap, type LeakSources, leakSources, type OpenedSource, secretSources } from './leak-sources.ts';
import { SearchedCredential, TableBudget, searchedValues } from '../scrub/searched-credential.ts';
import type { SearchedValues } from '../scrub/response-scrubber.ts';
import type { HeldOctets } from '../../protocol/held-octets.ts';
import { HeldBodies } from './request/held-bodies.ts';
import type { RefusingResponse } from './request/injected.ts';
import { tellingOf } from './request/telling.ts';
import type { Told } from './request/telling.ts';
import type { ServiceFetch } from '../forward/service-fetch.ts';
import type { GivenLease } from './leases/lease-seal.ts';
import { isPerSession } from './kinds/per-session.ts';
import type { KeptLogIns } from './kept/log-in-tokens.ts';
import { SessionCredentials } from './session-credentials.ts';
import type { LeaseSession, SessionLeases } from './leases/session-leases.ts';
import { Vaults, type VaultSources } from './vault/vaults.ts';

export interface InjectedRequest {
  readonly head: RequestHead;
  /** The credentials that were put on it. */
  readonly names: readonly string[];
  /** The values of all credentials that the rule names, put on or not; undefined if none of them travels. */
  readonly searched: SearchedValues | undefined;
  /** Whether all of them let an encoded response be decoded to be searched. */
  readonly decode: boolean;
  readonly tls?: UpstreamTls;
  /** Absent: the body passes as it is. */
  readonly body?: BodyRewrite;
  /** Whether none of their origins repeats the values in parts of a response. */
  readonly keepsRange: boolean;
  /** What the client sent to be somebody else with, and that is gone. */
  readonly stripped: readonly string[];
  /** What the origin wants to have in the next proof. True if that is another one than before. Absent: nothing is proven. */
  readonly onNonce?: (nonce: string) => boolean;
  /** The same request with a new proof. Absent also where another credential is on it, which could be a signature over this one. */
  readonly reprove?: (head: RequestHead, nowMs: number) => RequestHead;
  /** The origin responded with 401: values that can be had anew are, for the next request. */
  onRejected(nowMs: number): void;
  /** Absent: no status but 401 says that. Else for one of 400 or 403. */
  readonly onRefusing?: (response: RefusingResponse, nowMs: number) => void;
}

/** What a credential is put to use for. */
export interface CredentialUse {
  readonly nowMs: number;
  /** Absent if the request has none. */
  readonly body?: BodyFacts | undefined;
  /** Whose leases it takes, of those that are one of each session. */
  readonly session?: LeaseSession | undefined;
}

interface CredentialSetOptions {
  readonly limits: Limits;
  /** The budget of what is held of sessions. */
  readonly held?: HeldOctets;
  readonly canaries?: LeakSources['canaries'];
  /** Absent: nobody has a lease of its own. */
  readonly leases?: SessionLeases;
  /** Absent: no operator is logged in. */
  readonly logIns?: KeptLogIns | undefined;
  /** Told once of a token service whose clock differs, or that fails while its last token still holds. */
  readonly onFault?: ((error: ProxyError) => void) | undefined;
}

type Entry = Credential & {
  readonly decode: boolean;
  readonly config: CredentialConfig;
  readonly searched: SearchedCredential;
};

const unreachable: ServiceFetch = () => Promise.reject(new Error('there is no way to it'));

export class CredentialSet implements AsyncDisposable {
  readonly #vaults: Vaults;
  readonly #background: BackgroundRenewals;
  readonly #entries = new Map<string, Entry>();
  readonly #ofSessions: SessionCredentials<Entry & Disposable>;
  readonly #leases: SessionLeases | undefined;
  /** By the names of the credentials together: rules name few combinations. */
  readonly #foreign = new Map<string, ForeignCredentials>();
  /** Environment variables that the workload sees in the credentials' place. */
  readonly placeholders: Readonly<Record<string, string>>;
  /** What responds in the place of clouds. */
  readonly emulations: Emulations;
  /** What requests are searched for where rules ask for it. */
  readonly leaks: LeakValues;
  /** Room for bodies that are read before their request goes out. */
  readonly bodies: HeldBodies;

  /**
   * @param fetch how issuers of tokens and keepers of secrets are reached; without it none is
   * @throws ProxyError config_invalid if a source cannot be opened
   */
  constructor(
    configs: Readonly<Record<string, CredentialConfig>>,
    environment: Readonly<Record<string, string | undefined>>,
    fetch: ServiceFetch = unreachable,
    { limits, held, canaries = {}, leases, logIns, onFault }: CredentialSetOptions = {
      limits: defaultLimits,
    },
  ) {
    this.#background = new BackgroundRenewals(limits);
    const background = this.#background;
    this.#vaults = new Vaults({ environment, fetch, background });
    const placeholders: Record<string, string> = {};
    this.bodies = new HeldBodies(limits, held);
    const opened: OpenedSource[] = [];
    const onSource: CredentialContext['onSource'] = (name, config, source) => {
      if (!isCheap(config) && isSecretOf(configs[name], config)) opened.push({ name, source });
    };
    const context = {
      onSource,
      environment,
      fetch,
      vaults: this.#vaults,
      held: this.bodies,
      background,
      logIns,
      onFault,
    };
    const tables = new TableBudget(limits);
    const open = (name: string, config: CredentialConfig, own: CredentialContext): Entry => {
      const searched = new SearchedCredential(name, tables);
      const decode = config.scrub?.decode ?? false;
      return { ...openCredential(name, config, own), decode, config, searched };
    };
    const { onSource: _, ...unsearched } = context;
    for (const [name, config] of Object.entries(configs)) {
      // Of one of each session this entry says what is wrong with the configuration, and gives nothing.
      this.#entries.set(name, open(name, config, isPerSession(config) ? unsearched : context));
      Object.assign(placeholders, placeholderVariables(name, config));
    }
    const openOwn = (name: string, own: VaultSources, session: LeaseSession): Entry & Disposable => {
      const config = configs[name];
      if (config === undefined) throw new ProxyError('internal', `there is no credential ${name}`);
      const entry = open(name, config, { ...unsearched, vaults: own, session });
      const close = (): void => {
        entry.close?.();
        entry.searched.close();
      };
      return { ...entry, [Symbol.dispose]: close };
    };
    this.#leases = leases;
    this.#ofSessions = new SessionCredentials({ vaults: this.#vaults, leases, open: openOwn });
    this.placeholders = placeholders;
    this.emulations = new Emulations(
      [...this.#entries].flatMap(([name, { emulation }]) =>
        emulation === undefined ? [] : [[name, emulation] as const],
      ),
    );
    this.leaks = new LeakValues(leakSources({ configs, canaries, opened }, environment), limits);
  }

  /** Gives back what was only lent: leases and tokens of a Vault. Those of sessions are left to others beyond a few. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#ofSessions.close();
    await this.#background[Symbol.asyncDispose]();
    await this.#leases?.farewell(this.#vaults.giveBack.bind(this.#vaults));
    await this.#vaults[Symbol.asyncDispose]();
  }

  /**
   * Puts the credentials on a copy of the head, in order.
   * @throws ProxyError credential_unavailable
   */
  async inject(
    head: RequestHead,
    injections: readonly Injection[],
    { nowMs, body, session }: CredentialUse,
  ): Promise<InjectedRequest> {
    const { head: own, stripped } = withoutForeign(head, this.#foreignTo(injections));
    let current = own;
    const searched: SearchedCredential[] = [];
    const names: string[] = [];
    let decode = true;
    let tls: UpstreamTls | undefined;
    let rewrite: BodyRewrite | undefined;
    let keepsRange = true;
    let asked: string | undefined;
    const told: Told[] = [];
    try {
      for (const { credential } of this.#inOrder(injections)) {
        asked = credential;
        const entry = this.#entryOf(credential, session);
        if (entry === undefined)
          throw new ProxyError('credential_unavailable', `there is no credential ${credential}`);
        const facts = factsBehind(body, rewrite);
        searched.push(entry.searched);
        if (!entry.applies(current, facts)) {
          const values = await entry.values(nowMs);
          entry.searched.note(values);
          decode &&= entry.decode || values.length === 0;
          keepsRange &&= values.length === 0;
          continue;
        }
        const injected = await entry.apply(current, nowMs, facts, session?.principalId);
        current = injected.head;
        entry.searched.note(injected.values);
        this.leaks.note({ kind: 'credential', name: credential }, injected.values);
        decode &&= entry.decode || injected.values.length === 0;
        if (injected.isUnused !== true) names.push(credential);
        tls = injected.tls ?? tls;
        told.push(injected);
        if (injected.body !== undefined) rewrite = chainRewrites(rewrite, injected.body);
        keepsRange &&= injected.keepsRange === true || injected.values.length === 0;
      }
    } catch (error) {
      rewrite?.drop?.();
      throw withCredential(error, asked);
    }
    return {
      head: current,
      names,
      searched: searchedValues(searched),
      decode,
      keepsRange,
      stripped,
      ...tellingOf(told),
      ...(tls === undefined ? {} : { tls }),
      ...(rewrite === undefined ? {} : { body: rewrite }),
    };
  }

  /** What is put into messages of a WebSocket that these are for. @throws ProxyError credential_unavailable */
  async inMessages(injections: readonly Injection[], nowMs: number): Promise<readonly SoughtInMessages[]> {
    const sought: SoughtInMessages[] = [];
    for (const { credential } of injections) {
      try {
        const found = await this.#entries.get(credential)?.inMessages?.(nowMs);
        if (found !== undefined) sought.push({ name: credential, ...found });
      } catch (error) {
        throw withCredential(error, credential);
      }
    }
    return sought;
  }

  /** What the credential logs in with. @throws ProxyError credential_unavailable */
  async login(credential: string, { nowMs, session }: CredentialUse): Promise<CredentialLogin> {
    try {
      const login = await this.#entryOf(credential, session)?.login?.(nowMs);
      if (login === undefined)
        throw new ProxyError('credential_unavailable', `there is no credential ${credential} that logs in`);
      this.leaks.note({ kind: 'credential', name: credential }, [login.password]);
      return login;
    } catch (error) {
      throw withCredential(error, credential);
    }
  }

  /** The key that the credential logs in with. @throws ProxyError credential_unavailable */
  async key(credential: string, nowMs: number): Promise<CredentialKey> {
    try {
      const key = await this.#entries.get(credential)?.key?.(nowMs);
      if (key === undefined)
        throw new ProxyError('credential_unavailable', `there is no credential ${credential} with a key`);
      return key;
    } catch (error) {
      throw withCredential(error, credential);
    }
  }

  /** With what the credential signs. @throws ProxyError credential_unavailable */
  async signingKey(credential: string, nowMs: number): Promise<SigningCredential> {
    try {
      const key = await this.#entries.get(credential)?.signingKey?.(nowMs);
      if (key === undefined)
        throw new ProxyError('credential_unavailable', `there is no credential ${credential} that signs`);
      return key;
    } catch (error) {
      throw withCredential(error, credential);
    }
  }

  /** With what the credential signs for clients of the agent of SSH. @throws ProxyError credential_unavailable */
  async agentKey(credential: string, nowMs: number): Promise<SigningCredential> {
    try {
      const key = await this.#entries.get(credential)?.agentKey?.(nowMs);
      if (key === undefined)
        throw new ProxyError(
          'credential_unavailable',
          `there is no credential ${credential} of the agent of SSH`,
        );
      return key;
    } catch (error) {
      throw withCredential(error, credential);
    }
  }

  /** What others know of such a key; undefined: there is no such credential, or it is of another kind. */
  agentPublicKeyOf(credential: string): string | undefined {
    const config = this.#entries.get(credential)?.config;
    return config?.kind === 'agent-key' ? config.publicKey : undefined;
  }

  /** Names of the credentials with this key, type and base64. */
  agentKeysWith(publicKey: string): readonly string[] {
    return [...this.#entries].flatMap(([name, { config }]) =>
      config.kind === 'agent-key' && config.publicKey === publicKey ? [name] : [],
    );
  }

  /** What others know of a key that signs; undefined: there is no such credential, or it is of another kind. */
  publicKeyOf(credential: string): string | undefined {
    const config = this.#entries.get(credential)?.config;
    return config?.kind === 'signing-key' ? config.publicKey : undefined;
  }

  /** The session is over: what it had alone is read no more. True if it had something. */
  forget(sessionId: string): boolean {
    return this.#ofSessions.forget(sessionId);
  }

  /** Leases of sessions, at the servers of the configuration. @throws ProxyError credential_unavailable */
  giveBack(given: GivenLease, nowMs: number): Promise<'given back' | 'elsewhere'> {
    return this.#vaults.giveBack(given, nowMs);
  }

  /** Leases of sessions that this process has, and those that could not be given back. */
  get leaseCounts(): { readonly held: number; readonly failing: number } {
    return { held: this.#leases?.size ?? 0, failing: this.#leases?.failing ?? 0 };
  }

  #entryOf(name: string, session: LeaseSession | undefined): Entry | undefined {
    const entry = this.#entries.get(name);
    return entry !== undefined && isPerSession(entry.config) ? this.#ofSessions.of(name, session) : entry;
  }

  /** A signature over all of the request comes behind what else is put on it. */
  #inOrder(injections: readonly Injection[]): readonly Injection[] {
    const isLast = ({ credential }: Injection): boolean => this.#entries.get(credential)?.isLast === true;
    if (injections.length < 2 || !injections.some(isLast)) return injections;
    return [...injections.filter((one) => !isLast(one)), ...injections.filter(isLast)];
  }

  #foreignTo(injections: readonly Injection[]): ForeignCredentials {
    const names = injections.map(({ credential }) => credential);
    const key = names.join(' ');
    const found =
      this.#foreign.get(key) ??
      foreignCredentials(names.flatMap((name) => this.#entries.get(name)?.config ?? []));
    this.#foreign.set(key, found);
    return found;
  }
}

function isSecretOf(config: CredentialConfig | undefined, source: CredentialSourceConfig): boolean {
  return config !== undefined && secretSources(config).includes(source);
}

/** The body as the injectors so far leave it. */
function factsBehind(body: BodyFacts | undefined, rewrite: BodyRewrite | undefined): BodyFacts | undefined {
  if (body === undefined || rewrite === undefined) return body;
  const { sessionId } = body;
  return {
    length: rewrite.length,
    sessionId,
    isRewritten: true,
    open: () => rewrite.rewrite(body.open()),
    keep: (release) => body.keep(release),
  };
}

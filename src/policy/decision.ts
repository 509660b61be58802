// Who asks, what for, and the decision: always with the rule that made it.

import type { HostPattern } from './host-pattern.ts';
import type { Destination } from '../http/destination.ts';
import type { HeaderList } from '../http/header-list.ts';
import type { GraphqlRequest } from '../understand/graphql-request.ts';
import type { UnreadableBody } from '../understand/json-value.ts';
import type { FoundAdvisory, PackageAdvisories } from '../understand/packages/advisory.ts';
import type { PackageRegistry, PublishOperation } from '../understand/packages/package-request.ts';
import type { ReadBody } from '../understand/read-body.ts';
import type { AskedOf } from './ask-rule.ts';
import type { RefUpdate } from './git-commands.ts';
import type { GraphqlIds, KnownIds } from './graphql-ids.ts';
import type { ToolDefinition } from './mcp-pins.ts';
import type { RuleDecide } from './decide-rule.ts';
import type { RuleLeaks } from './leak-rule.ts';
import type { RuleRewrite } from './rewrite-rule.ts';
import type { RuleScreen } from './screen-rule.ts';
import type { ProtocolEnd } from './protocol-rule.ts';
import type { SessionSigning, Signable } from './sign-condition.ts';
import type { LlmBudget, LlmCondition } from './llm-condition.ts';
import type { RuleLogIn } from './log-in-rule.ts';
import type { KnownPackage, KnownPublication, NamedRegistry, RegistryRoot } from './known-package.ts';
import type { KeepingBack } from './package-advisories.ts';
import type { PackageIntegrity } from './package-integrity.ts';
import type { KnownProvenance } from './package-provenance.ts';

export type { KnownPackage };

/** Whose session it is. Nothing is shared between principals that differ in `id`. */
export interface Principal {
  /** Stable and unique for what may be shared: issuer and subject. */
  readonly id: string;
  readonly sessionId: string;
  readonly claims: Readonly<Record<string, unknown>>;
  /** Facts of the agent's posture that are true. */
  readonly posture: readonly string[];
  /** Of a session that another one made: what it has less than that. */
  readonly narrowed?: Narrowing;
}

/** All of its steps must allow what the session asks for, and so must what the root is judged by. */
export interface Narrowing {
  /** The session that began by a token: its rules count in its name, whichever session below it asks. */
  readonly rootId: string;
  /** From the session below the root down to the one that asks. */
  readonly steps: readonly NarrowingStep[];
}

export interface NarrowingStep {
  readonly sessionId: string;
  readonly policy: Policy;
}

/** What can be seen when a stream opens: only the destination. */
export interface ConnectAccess {
  readonly depth: 'connect';
  readonly destination: Destination;
}

/** What can be seen of a request. `path` and `query` are canonical, the bytes that go upstream. */
export interface RequestAccess {
  readonly depth: 'request';
  readonly destination: Destination;
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly headers: HeaderList;
  /** The commands of a push by git, once they are read from its body. */
  readonly pushed?: readonly RefUpdate[];
  /** Its options, read with them. */
  readonly pushOptions?: readonly string[];
  /** What its body was read as; absent while nobody has read it. */
  readonly body?: ReadBody;
  /** Of a message about a tool: how its server defines it; absent: no list said it. */
  readonly definition?: ToolDefinition;
  /** Ids that were learned in its session from its server; absent: none. */
  readonly knownIds?: KnownIds;
  /** Its operations of GraphQL; absent while nobody has read them. */
  readonly graphql?: GraphqlRequest | UnreadableBody;
  /** What the gateway is asked to sign, of a request to itself; rules with `sign` are for nothing else. */
  readonly signs?: Signable;
  /** It is a message on a WebSocket that the rest of this opened. */
  readonly ofWebSocket?: true;
  /** What is known of the package that it asks for; absent while nobody has asked. */
  readonly package?: KnownPackage;
  /** What its body was read to publish; absent while nobody has read it. */
  readonly publication?: KnownPublication;
  /** What attestations say of how it was built; absent while nobody has asked. */
  readonly provenance?: KnownProvenance;
  /** What is known against packages; absent: nothing that can be read. */
  readonly advisories?: PackageAdvisories;
}

export type AccessRequest = ConnectAccess | RequestAccess;

/** How a credential is put on a request; the secret itself stays behind `credential`. */
export interface Injection {
  /** Name in the configuration's `credentials`. */
  readonly credential: string;
}

export interface RuleLimits {
  readonly requestsPerSecond?: number;
  readonly bodyBytes?: number;
  readonly requestsPerSession?: number;
  readonly bytesPerSession?: number;
  /** Octets that the client sends: heads and bodies. */
  readonly bytesOutPerSession?: number;
  /** URLs that differ. */
  readonly urlsPerSession?: number;
  /** Octets of paths and queries, of each URL once. */
  readonly urlBytesPerSession?: number;
  /** What happens when a limit of a whole session is to be counted and the store is away. Absent: deny. */
  readonly whenStoreAway?: 'deny' | 'continue';
}

/** `where-defined`: a method for which HTTP defines no body has none. */
export type RuleBodies = 'any' | 'where-defined';

export interface RuleScrub {
  /** What is held back to be searched goes on when nothing came for so long. */
  readonly quietMs: number;
}

/** What of the bodies of an exchange is kept for operators. */
export interface RuleCapture {
  readonly bytesMax: number;
  /** Names, in lower case, of members and fields whose values are not kept. */
  readonly redact: readonly string[];
}

/** The package that a request is about, as the rules for its host read it. */
export interface DecidedPackage {
  readonly registry: PackageRegistry;
  readonly root: RegistryRoot | undefined;
  readonly name: string;
  /** The name as it was asked for, where the registry has its list at that. */
  readonly written?: string;
  readonly version?: string;
  readonly file?: string;
  /** By which name metadata promises what is delivered. */
  readonly promisedAs?: string;
  /** What is delivered, by the address itself. */
  readonly digest?: string;
  /** It is the metadata of a package, and rules keep versions back of which it may tell. */
  readonly hides?: true;
  /** What is installed is asked for, and no list or description of it. */
  readonly isArchive?: true;
  /** It would publish, or change something that is published. */
  readonly operation?: PublishOperation;
  /** What it would publish. */
  readonly publishes?: string;
  /** When the version, or the file, came out; where nobody knows, absent. */
  readonly publishedMs?: number;
  /** It is too young until then; where nobody knows, absent. */
  readonly keptUntilMs?: number;
  /** How long its versions have to be out. */
  readonly minAgeMs?: number;
  /** Whether the registry is asked what it promises, and has to promise it. */
  readonly integrity?: PackageIntegrity;
  /** Rules want attestations of its versions. */
  readonly wantsProvenance?: true;
  /** Digests of what the rule lets through by attestations; absent: it looks at none. */
  readonly attested?: readonly string[];
  /** No attestation lets through the version that is asked for. */
  readonly isUnattested?: true;
  /** Whether something of it runs when it is installed is told, as far as it is known. */
  readonly tellsScripts?: true;
  /** Which advisories keep its versions back. */
  readonly keepsBack?: KeepingBack;
  /** What keeps back the version that is asked for. */
  readonly advisory?: FoundAdvisory;
}

/** The rule that decided. Default deny and the address guard are rules too. */
export interface RuleReference {
  /** Name, or `default-deny`, `observe`. */
  readonly name: string;
  /** `file:line` where there is one. */
  readonly place?: string;
  /** Which of several published policies it is of. */
  readonly policy?: string;
}

export interface AllowDecision {
  readonly effect: 'allow';
  readonly rule: RuleReference;
  /** At depth `connect`: what becomes of the bytes. `raw` is any TCP protocol, `passthrough` TLS that is not opened. */
  readonly handling: 'intercept' | 'passthrough' | 'raw';
  /** Of `raw`: the protocol that the gateway ends; absent: the bytes pass as they are. */
  readonly end?: ProtocolEnd;
  readonly inject: readonly Injection[];
  /** Private networks (CIDR) that this one rule may reach. */
  readonly addresses: readonly string[];
  readonly limits: RuleLimits;
  /** Whose the limits of a whole session are; absent: the rule's own, by its name. */
  readonly budget?: string;
  /** Absent: any. */
  readonly bodies?: RuleBodies;
  /** Secrets of the caller's home, which an embedded gateway has, serve more than reads. */
  readonly homeWrites?: true;
  /** Tokens of log-ins of the session are kept here, or go on; absent: neither. */
  readonly logIn?: RuleLogIn;
  /** The trace that the client says it is in is gone on with. */
  readonly continuesTrace?: true;
  /** What of bodies is kept; absent: nothing. */
  readonly capture?: RuleCapture;
  /** It holds once a person has said so: until then nothing goes out. Absent: nobody is asked. */
  readonly asks?: AskedOf;
  /** What the request is searched for; absent: nothing. */
  readonly leaks?: RuleLeaks;
  /** What the beginning of the response is judged by; absent: nothing. */
  readonly screen?: RuleScreen;
  /** Who else has to allow it, all of them; absent: nobody. */
  readonly deciders?: readonly RuleDecide[];
  /** What becomes of fields of JSON; absent: nothing. */
  readonly rewrite?: RuleRewrite;
  /** Of passthrough: no rule needs more of the connection than where it goes. It may be opened all the same. */
  readonly isAuto?: true;
  /** Of passthrough: a ClientHello that may hide another name is refused. */
  readonly refusesEch?: true;
  /** Names in the configuration's `trust` whose certificates count beside the gateway's roots; absent: none. */
  readonly trust?: readonly string[];
  /** Of datagrams: names that queries of DNS may be about, each by all of the lists. Absent: any datagram passes. */
  readonly dns?: readonly (readonly HostPattern[])[];
  /** A name in the configuration's `upstream.exits`, or `direct`: the way out. Absent: the one for all. */
  readonly exit?: string;
  /** Names of request fields that do not go on; absent: all do. */
  readonly removedFields?: readonly string[];
  /** How responses are searched for credentials. */
  readonly scrub?: RuleScrub;
  /** The rule names what a server of MCP may be asked for, so its lists are shown without the rest. */
  readonly showsLists?: true;
  /** A rule looks at operations of GraphQL, so each that comes on the WebSocket is decided about. */
  readonly readsOperations?: true;
  /** Where in the response ids stand that mutations of the session may have. */
  readonly learnsIds?: readonly GraphqlIds[];
  /** Limits of the policies by which sessions were narrowed, beside those of the rule: each is counted in the name of its session. */
  readonly narrowed?: readonly NarrowedLimits[];
  /** The rule bounds calls of models: what they may ask for, and what they take. */
  readonly llm?: LlmCondition;
  /** Rules name packages here: the one that is asked for. */
  readonly package?: DecidedPackage;
  /** What clients need of a registry as a whole is asked for, and it is a file that says the same to all. */
  readonly registryFile?: Pick<DecidedPackage, 'registry' | 'root'>;
  /** Set where observe mode let through what would have been denied. */
  readonly observed?: string;
  /**
   * No rule that could be for this host looks at more of a request than its destination, counts it, or gives it a credential:
   * what else is sent there could be a request that nobody decided about, and gains nothing.
   */
  readonly isByDestination?: true;
  /** A rule looks at what is not there yet; nothing may go out before the decision is made again with it. */
  readonly awaits?: AwaitedPart;
  /** Only rules on trial look at it: what cannot be read refuses nothing. */
  readonly awaitsOnTrial?: true;
  /** Where `awaits` is a publication: as which registry it is read. */
  readonly awaitsOf?: NamedRegistry;
}

/** What of a request a rule looks at that comes behind its head, or has to be asked for. */
export type AwaitedPart =
  | 'git-commands'
  | 'body'
  | 'graphql'
  | 'publication'
  | 'publish-times'
  | 'provenance';

export interface NarrowedLimits {
  readonly sessionId: string;
  readonly rule: RuleReference;
  readonly limits: RuleLimits;
  readonly budget?: string;
}

export interface DenyDecision {
  readonly effect: 'deny';
  readonly rule: RuleReference;
  /** For the workload: what was refused and what to ask for. */
  readonly reason: string;
  /** For the operator only. */
  readonly operatorReason: string;
  /** Set where no rule denies: to ask all of them would take more than `decisionStepsMax`. */
  readonly isTooCostly?: true;
  /** As in `AllowDecision`. */
  readonly package?: DecidedPackage;
  /** The field of the request for which the rule, which else would allow it, does not. */
  readonly field?: string;
  /** Of default deny: what the ceiling above the policy allows, which bounds whatever opens it. */
  readonly within?: AllowDecision;
  /** As in `AllowDecision`: a rule that denies may be behind it, whatever opens what default deny closes. */
  readonly awaits?: AwaitedPart;
  readonly awaitsOnTrial?: true;
  readonly awaitsOf?: NamedRegistry;
}

export type Decision = AllowDecision | DenyDecision;

/** Rules of one policy that are shown, and how many are not. */
export interface RuleView {
  readonly rules: readonly ViewedRule[];
  readonly notShown: number;
}

/** What a session is told of its rules. */
export interface SessionRules extends RuleView {
  /** A ceiling stands above them, which has to allow too. */
  readonly isBounded: boolean;
  /** What no rule allows may be let through, and told to the operator. */
  readonly mayBeObserved: boolean;
  /** They are those by which the session was narrowed; what it was narrowed from is judged too. */
  readonly isNarrowed?: true;
}

/** A rule as the session that it is for sees it. */
export interface ViewedRule {
  readonly name: string;
  readonly effect: 'allow' | 'deny';
  /** A person has to say so first. */
  readonly asks?: true;
  readonly hosts: readonly string[];
  readonly schemes: readonly string[];
  /** Absent: every port. */
  readonly ports?: readonly number[];
  readonly methods?: readonly string[];
  readonly paths?: readonly string[];
  /** What requests are looked at for beside these, by the key of the rule; a condition is not told. */
  readonly only?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, number | string>>;
  /** What the limits of a session are counted in; it is told to no session. */
  readonly budget?: string;
  /** Of calls of models; its name is told to no session. */
  readonly modelBudget?: LlmBudget;
  readonly ends?: string;
  /** Facts that the session lacks: without them the rule is not for it. */
  readonly needs?: readonly string[];
  readonly reason?: string;
}

/** A compiled policy. `decide` is pure: the clock and all facts arrive with the call. */
export interface Policy {
  /** Short hash of the source, for the audit. */
  readonly version: string;
  decide(principal: Principal, access: AccessRequest, nowMs: number): Decision;
  /** Ports other than 80 and 443 that some rule opens for this principal. */
  capturePorts(principal: Principal): readonly number[];
  /** What is told to this principal of the rules that are for it, at most `max` of them. */
  rulesFor(principal: Principal, bounds: { readonly nowMs: number; readonly max: number }): SessionRules;
  /** Where some rule may take the bytes of a connection as they are, for this principal: `host:port`, `*.name:port`, `*:port`. */
  blindHosts(principal: Principal): readonly string[];
  /** The same, of connections whose SSH the gateway ends. */
  sshHosts(principal: Principal): readonly string[];
  /** Names of credentials that some rule may put on requests of this principal, whatever else it wants. */
  injected(principal: Principal): ReadonlySet<string>;
  /** Some rule has tokens of log-ins revoked at their server, which the gateway asks by itself. */
  readonly revokesTokens: boolean;
  /** What rules have signed for this principal; undefined: nothing. Each object is judged by itself all the same. */
  signing(principal: Principal): SessionSigning | undefined;
  /**
   * Whether a decision may be another one at the second time, though nothing but the time is; of a host, if one is given.
   * Where the clock went back, it may.
   */
  changesBetween(fromMs: number, toMs: number, host?: string): boolean;
}

// What an exchange is run with, and what it is once it may go upstream.

import type { Readable } from 'node:stream';
import type { ValidatedRequest } from '../../http/request-validation.ts';
import type { AllowDecision, Policy, RequestAccess } from '../../policy/decision.ts';
import type { HeldOctets } from '../../protocol/held-octets.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { QuestionDesk } from '../access/question-desk.ts';
import type { AccessDesk } from '../access/access-desk.ts';
import type { DenialHelp } from './denial.ts';
import type { ExchangeSink } from '../audit/audit-log.ts';
import type { ArchiveKey } from '../cache/cache-entry.ts';
import type { MetadataCache } from '../cache/metadata-cache.ts';
import type { PackageCache } from '../cache/package-cache.ts';
import type { CapturedBodies } from '../captured/captured-bodies.ts';
import type { CredentialSet, InjectedRequest } from '../credentials/credential-set.ts';
import type { InsideTokens } from '../credentials/inside/inside-tokens.ts';
import type { HomeCredentials } from '../credentials/request/home-credentials.ts';
import type { Forwarder } from '../forward/forwarder.ts';
import type { Deciders } from '../deciders/deciders.ts';
import type { LoopGuard } from '../forward/loop-guard.ts';
import type { LeakLedger } from '../leaks/leak-ledger.ts';
import type { SpendBytes } from '../forward/metered-stream.ts';
import type { RuleTrust } from '../forward/rule-trust.ts';
import type { LiveAdvisories } from '../packages/advisories/live-advisories.ts';
import type { PromisedPackage } from '../packages/asked-package.ts';
import type { PackageProvenance } from '../packages/package-provenance.ts';
import type { ChecksumDatabase } from '../packages/checksums/checksum-database.ts';
import type { PublishTimes } from '../packages/publish-times.ts';
import type { SeenVersions } from '../packages/seen-versions.ts';
import type { LiveGrants } from '../policies/live-grants.ts';
import type { ContinuedTraces } from '../telemetry/trace-context.ts';
import type { BodyCapture } from './body-capture.ts';
import type { DecisionBasis } from './confirm-decision.ts';
import type { Approval } from './approval.ts';
import type { HomeInjected } from './inject-of-home.ts';
import type { InsideInjected } from './inject-of-inside.ts';
import type { LearnedIds } from './learned-ids.ts';
import type { ListedTools } from './listed-tools.ts';
import type { LeakWatch } from './leak-watch.ts';
import type { ModelBudgets, ModelSpend } from './model-budgets.ts';
import type { ModelCall } from './model-call.ts';
import type { SessionBudgets } from './session-budgets.ts';

export interface ExchangeParts {
  readonly policy: () => Policy;
  readonly credentials: CredentialSet;
  /** Of an embedded gateway: secrets of the caller's home. */
  readonly homes?: HomeCredentials;
  /** Keeps the tokens of log-ins from inside. Absent: there is nowhere to keep any. */
  readonly inside?: InsideTokens | undefined;
  readonly audit: ExchangeSink;
  readonly forwarder: Forwarder;
  readonly budgets: SessionBudgets;
  /** Counts calls of models. */
  readonly models: ModelBudgets;
  /** What is held of sessions, and of all. */
  readonly held: HeldOctets;
  /** What came of them, or for them, and nobody takes. */
  readonly unread: HeldOctets;
  /** What runs longer than the decision that began it. */
  readonly live: LiveGrants;
  readonly ruleTrust: RuleTrust;
  /** What is known against packages, as it is now. Absent: nobody keeps an index. */
  readonly advisories?: Pick<LiveAdvisories, 'index' | 'state'>;
  /** When versions of packages came out. */
  readonly publishTimes: PublishTimes;
  /** Verifies how versions of packages were built. Absent: the gateway has no root of trust. */
  readonly provenance?: PackageProvenance;
  /** What go.sum has to have of modules. */
  readonly checksums?: ChecksumDatabase;
  /** Stands in for the origins of archives. */
  readonly cache?: PackageCache | undefined;
  /** Stands in for registries that are asked what versions a package has. */
  readonly metadata?: MetadataCache | undefined;
  /** Of registries that do not say it: when versions were seen first. */
  readonly seenVersions: SeenVersions;
  /** Where traces are sent: those of clients that rules go on with. */
  readonly traces?: ContinuedTraces;
  readonly limits: Limits;
  /** Refuses what comes back to this gateway. */
  readonly loops?: LoopGuard;
  /** Counts what sessions tried to send that may not leave. */
  readonly leakLedger?: LeakLedger;
  /** Systems that rules ask. Absent: there is none, and what asks one is denied. */
  readonly deciders?: Deciders;
  /** Keeps bodies where a rule asks for it. */
  readonly captured?: CapturedBodies;
  readonly clock: () => number;
  /** What servers of MCP said of tools that rules have pins for. */
  readonly tools: ListedTools;
  /** What mutations of GraphQL may be about. */
  readonly ids: LearnedIds;
  /** Where people are asked about requests. */
  readonly questions?: QuestionDesk;
  /** What the organisation says to whoever is denied. */
  readonly help?: DenialHelp | undefined;
  /** Takes requests for access, if that is enabled. */
  readonly desk?: AccessDesk;
}

/** A request that may go upstream, with everything that the decision gave it. */
export interface Admitted {
  readonly validated: ValidatedRequest;
  /** What was decided about. */
  readonly access: RequestAccess;
  readonly decision: AllowDecision;
  readonly basis: DecisionBasis;
  /** What a person allowed, where the rule asks. */
  readonly approval?: Approval | undefined;
  /** Where the rule searches what goes out. */
  readonly watch?: LeakWatch | undefined;
  /** What the client sent as its body, where a rule looked into it or it is searched; undefined: the body is the client's own. */
  readonly body?: Readable | undefined;
  /** A call of a model, and what is set aside for it. */
  readonly called?: { readonly call: ModelCall; readonly spend: ModelSpend } | undefined;
  readonly injected: InjectedRequest | HomeInjected | InsideInjected;
  /** Pays for bytes, of both directions, where the rule limits them. */
  readonly spendBytes: SpendBytes | undefined;
  /** Pays for bytes that the client sends, where the rule limits them. */
  readonly spendOut?: SpendBytes | undefined;
  /** Where the rule has bodies kept. */
  readonly capture?: BodyCapture | undefined;
  /** What is promised of the archive that comes. */
  readonly promised?: PromisedPackage | undefined;
  /** Under which the cache has that archive. */
  readonly cacheKey?: ArchiveKey | undefined;
}

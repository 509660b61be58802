// The client of a response as the decision has it: what stands between the relay and who asked.

import type { McpInput } from '../../understand/mcp-message.ts';
import type { ExchangeParts, Admitted } from './exchange-parts.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import type { DecidedPackage, Principal, RequestAccess } from '../../policy/decision.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { credentialsOf, type PromisedPackage } from '../packages/asked-package.ts';
import type { ArchiveStandIn } from './archive-source.ts';
import { questionFor } from './ask-registry.ts';
import { toldOfGems } from './ask-times.ts';
import { tellAltered, withCheckedArchive } from './checked-archive.ts';
import { withCheckedModule } from './checked-module.ts';
import type { ExchangeScene } from './exchange-scene.ts';
import { type IdLearner, withLearnedIds } from './learn-ids.ts';
import { readsMessages, withShownMessages } from './list-filter.ts';
import type { ModelResponse } from './model-response.ts';
import { filteredPackage, type PackageFilter, withShownVersions } from './package-filter.ts';
import { type ChangedTool, tellChangedTools } from './pinned-tools.ts';
import type { ResponseClient } from './response-client.ts';
import type { ResponseRoom } from './response-room.ts';
import { withRewrittenJson } from './rewrite-response.ts';
import { accountOf } from './spending-accounts.ts';

interface Responding {
  readonly admitted: Admitted;
  readonly record: ExchangeRecord;
  readonly room: ResponseRoom;
  readonly learner: IdLearner | undefined;
  readonly model: ModelResponse | undefined;
  readonly standIn?: ArchiveStandIn | undefined;
  /** When the registry said it, where that was before. */
  readonly toldMs?: (() => number | undefined) | undefined;
}

/** Behind the relay: what is kept of the response is what the client gets, and lists are without what the session may not use. */
export function shownResponse(
  client: ResponseClient,
  { principal }: Pick<ExchangeScene, 'principal'>,
  parts: ExchangeParts,
  { admitted, record, room, learner, model, standIn, toldMs }: Responding,
): PackageFilter {
  const { access, decision, capture, promised } = admitted;
  const captured = capture?.ofResponse(client) ?? client;
  const keep = (octets: number): void => room.keep(octets);
  const rewrite = decision.rewrite?.response;
  const onRewritten = (changes: number): void => record.rewrote('response', changes);
  const { limits } = parts;
  const sent =
    rewrite === undefined
      ? captured
      : withRewrittenJson({ client: captured, rewrite, limits, keep, onRewritten });
  if (learner !== undefined) return asItIs(withLearnedIds(learner, { client: sent, keep }));
  if (model !== undefined) return asItIs(model.clientOf(sent, keep));
  const onHidden = (count: number, versions: readonly string[] = []): void => {
    record.hid(count);
    // Registries list the newest last.
    const hiddenVersions = versions.slice(-defaultLimits.hiddenVersionsToldMax);
    if (hiddenVersions.length > 0) record.noted({ hiddenVersions });
  };
  const { policy, clock, tools, publishTimes, seenVersions } = parts;
  const common = { client: sent, principal, access, policy, clock, limits, keep, onHidden };
  const filtered = filteredPackage(decision);
  const made = { parts, admitted, principal, record, standIn, keep };
  if (promised !== undefined && decision.package !== undefined)
    return checkedArchive(sent, decision.package, promised, made);
  if (filtered !== undefined)
    return withShownVersions({
      ...common,
      asked: filtered,
      credentials: credentialsOf(decision),
      ...(toldMs === undefined ? {} : { toldMs }),
      publishTimes,
      seenVersions,
      owner: accountOf(principal),
      askBeside: async (listed, isOfAll) => {
        const asking = { principal, record };
        const question = questionFor(filtered, { access, asking, parts });
        return question && (await toldOfGems(question, listed, { asking, parts, isOfAll }));
      },
    });
  if (!readsMessages(access, decision)) return asItIs(sent);
  const withheld = new Set<McpInput>();
  const onWithheld = (inputs: readonly McpInput[]): void => {
    for (const one of inputs) withheld.add(one);
    record.noted({ withheld: [...withheld] });
  };
  const onChanged = (changed: readonly ChangedTool[]): void => {
    record.foundChanged(changed.map(({ tool }) => tool));
    tellChangedTools(changed, parts, { principal, access });
  };
  const { message } = record;
  return asItIs(withShownMessages({ ...common, tools, message, onWithheld, onChanged }));
}

/** Parts of layers are put together by clients that check them. Manifests are read as they come. */
export function takesParts({ asked }: PromisedPackage, { path }: Pick<RequestAccess, 'path'>): boolean {
  return asked.registry === 'oci' && path.split('/').at(-2) === 'blobs';
}

function checkedArchive(
  client: ResponseClient,
  fetched: DecidedPackage,
  promised: PromisedPackage,
  { parts, admitted: { access }, principal, record, standIn, keep }: ArchiveScene,
): PackageFilter {
  const isModule = fetched.registry === 'go';
  const options = {
    client,
    method: access.method,
    takesParts: () =>
      standIn?.isFromCache === true ||
      (takesParts(promised, access) && access.headers.all('range').length > 0),
    promised: promised.digest,
    onWhole: (isPromised: boolean) => {
      // What lists of a session's packages have is about archives.
      if (isPromised && (!isModule || fetched.isArchive === true))
        record.knownOfPackage({ digest: promised.digest });
      else if (isPromised) return;
      else if (standIn?.isFromCache === true) standIn.damaged();
      else tellAltered(fetched, promised, parts, { principal, access });
    },
  };
  return isModule
    ? withCheckedModule({ ...options, isZip: fetched.isArchive === true, keep })
    : withCheckedArchive(options);
}

interface ArchiveScene {
  readonly parts: ExchangeParts;
  readonly admitted: Admitted;
  readonly principal: Principal;
  readonly record: ExchangeRecord;
  readonly standIn: ArchiveStandIn | undefined;
  readonly keep: (octets: number) => void;
}

const asItIs = (client: ResponseClient): PackageFilter => ({ client });

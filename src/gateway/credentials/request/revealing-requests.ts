// Which requests to services of the catalogue would bring secrets with their responses: none is made with a secret of the caller's environment.

import type { RequestHead } from '../../../http/message-head.ts';
import type { CompiledPolicy } from '../../../policy/compiled-policy.ts';
import { parsePolicy } from '../../../policy/parse-policy.ts';
import type { HomeCredential } from '../../../protocol/home-credential.ts';

/** Segments that a server of one's own may have before the paths of the service: `/api/v3`. */
const prefixSegmentsMax = 3;

export class RevealingRequests {
  readonly #policies = new Map<string, CompiledPolicy | undefined>();
  readonly #clock: () => number;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** What the response would bring, in a sentence; undefined if the entry says nothing of it. An entry that can't be asked lets nothing through. */
  reasonOf(head: RequestHead, { place, service }: HomeCredential): string | undefined {
    if (service === undefined) return undefined;
    const policy = this.#policyOf(service.entry);
    if (policy === undefined) return `nothing is known of what catalog/${service.entry} would bring`;
    const { method, destination, query, headers } = head;
    const { host } = service;
    const principal = { id: 'home', sessionId: 'home', claims: {}, posture: [] };
    for (const path of pathsAt(head.path, place.path, place.host === host ? 0 : prefixSegmentsMax)) {
      const asked = {
        depth: 'request',
        destination: { ...destination, host, port: 443 },
        method,
        path,
        query,
        headers,
      } as const;
      const decision = policy.decide(principal, asked, this.#clock());
      if (decision.effect === 'deny' && decision.rule.place !== undefined) return decision.reason;
    }
    return undefined;
  }

  #policyOf(entry: string): CompiledPolicy | undefined {
    if (this.#policies.has(entry)) return this.#policies.get(entry);
    // Its denials alone are asked about.
    const text = JSON.stringify({ rules: [{ name: entry, include: `catalog/${entry}` }] });
    const parsed = parsePolicy([{ file: 'catalog', text }]);
    const policy = 'policy' in parsed ? parsed.policy : undefined;
    this.#policies.set(entry, policy);
    return policy;
  }
}

/** The path as the service has it, and without what stands before it elsewhere. */
function pathsAt(path: string, root: string, segmentsMax: number): readonly string[] {
  const paths = [root === '/' ? path : path.slice(root.length) || '/'];
  for (let i = 0; i < segmentsMax; i++) {
    const slash = paths[i]?.indexOf('/', 1) ?? -1;
    if (slash === -1) break;
    paths.push(paths[i]?.slice(slash) ?? '/');
  }
  return paths;
}

// A tool of a list beside the pins of the policy: whether the session may see it, and whether it is another one than was approved.

import { createHash } from 'node:crypto';
import type { Decision, Policy, Principal, RequestAccess } from '../../policy/decision.ts';
import type { ToolDefinition } from '../../policy/mcp-pins.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { canonicalJson } from '../../understand/canonical-json.ts';
import type { JsonValue } from '../../understand/json-value.ts';
import type { ExchangeSink } from '../audit/audit-log.ts';
import { type AlarmPlace, alarmEvent } from './alarm-event.ts';
import type { ListedTools } from './listed-tools.ts';

/** The pin of a tool that is defined so. */
export function definitionDigest(definition: JsonValue): string {
  return `sha256:${createHash('sha256').update(canonicalJson(definition)).digest('hex')}`;
}

/** A tool that a rule has a pin for, and that the server defines in another way. */
export interface ChangedTool {
  readonly tool: string;
  readonly digest: string;
}

export interface PinnedToolsOptions {
  readonly tools: ListedTools;
  readonly principal: Principal;
  readonly access: RequestAccess;
  readonly policy: () => Policy;
  readonly clock: () => number;
}

/** Those of one response, which is one page of a list, or a stream of what a server says. */
export class PinnedTools {
  readonly #options: PinnedToolsOptions;
  readonly #changed = new Map<string, ChangedTool>();

  constructor(options: PinnedToolsOptions) {
    this.#options = options;
  }

  /** Tools of this response that are no longer what was approved. */
  get changed(): readonly ChangedTool[] {
    return [...this.#changed.values()];
  }

  /** Whether a call of the tool could be allowed. `listing`: which list it stands in. */
  isShown(tool: string, definition: JsonValue, listing: number): boolean {
    const { tools, principal, access } = this.#options;
    const asPinned = this.#decide(tool, { kind: 'any' });
    if (asPinned.effect === 'deny') return false;
    // No pin of any rule is kept by this one.
    const unpinned = this.#decide(tool, { kind: 'differing' });
    if (unpinned.effect === 'allow' && unpinned.rule.name === asPinned.rule.name) return true;
    const digest = definitionDigest(definition);
    tools.note(principal.sessionId, access, { tool, digest, listing });
    const now = this.#decide(tool, { kind: 'listed', digest });
    if (now.effect === 'deny' || now.rule.name !== asPinned.rule.name)
      this.#changed.set(tool, { tool, digest });
    return now.effect === 'allow';
  }

  #decide(tool: string, definition: ToolDefinition): Decision {
    const { access, principal, policy, clock } = this.#options;
    const target = { kind: 'tool', name: tool, input: 'any' } as const;
    const message = {
      kind: 'request',
      method: 'tools/call',
      id: 0,
      target,
      inputs: [],
      goesOn: false,
    } as const;
    const asked = { ...access, method: 'POST', body: { kind: 'message', message }, definition } as const;
    return policy().decide(principal, asked, clock());
  }
}

/** Tells that tools are other ones than those that were approved. */
export function tellChangedTools(
  changed: readonly ChangedTool[],
  {
    audit,
    tools,
    clock,
  }: { readonly audit: ExchangeSink; readonly tools: ListedTools; readonly clock: () => number },
  place: AlarmPlace,
): void {
  if (changed.length === 0 || !tools.mayAlarm(place.principal.sessionId, clock())) return;
  const shown = changed.slice(0, defaultLimits.changedToolsToldMax);
  const names = shown.map(({ tool }) => JSON.stringify(tool)).join(', ');
  const more = changed.length - shown.length;
  const told = {
    action: 'tool_changed',
    message: `A server of MCP defines tools in another way than their pins: ${names}${more > 0 ? `, and ${String(more)} more` : ''}. They are hidden, and calls of them are held.`,
    details: { tools: shown },
  };
  audit.append(alarmEvent(told, place, clock()));
}

// How servers of MCP define the tools that rules have pins for, as lists in a session said last: what the session's model reads,
// and what a call is judged by. It is of this gateway and this session alone; a session that goes on elsewhere has to list again.

import type { RequestAccess } from '../../policy/decision.ts';
import type { ToolDefinition } from '../../policy/mcp-pins.ts';
import { defaultLimits } from '../../protocol/limits.ts';

interface Listed {
  readonly digest: string;
  /** Pages of one listing have the same number. */
  readonly listing: number;
  readonly isDiffering: boolean;
}

interface Session {
  /** By server and tool; the oldest first. */
  readonly tools: Map<string, Listed>;
  listings: number;
  /** When an alarm was last raised for it. */
  alarmMs: number;
}

/** A server, as far as a request says which: responses of older transports come on another path than the one of calls. */
type Server = Pick<RequestAccess, 'destination' | 'path' | 'method'>;

export class ListedTools {
  readonly #sessions = new Map<string, Session>();

  /** Sessions that have listed such tools. */
  get size(): number {
    return this.#sessions.size;
  }

  forget(sessionId: string): void {
    this.#sessions.delete(sessionId);
  }

  /** The number of a listing that begins, or of the one that goes on. */
  listing(sessionId: string, goesOn: boolean): number {
    const session = this.#session(sessionId);
    if (!goesOn) session.listings += 1;
    return session.listings;
  }

  /** What the list of a server says of a tool. */
  note(sessionId: string, server: Server, { tool, digest, listing }: NotedTool): void {
    const { tools } = this.#session(sessionId);
    for (const key of keysOf(server, tool)) {
      const before = tools.get(key);
      const isDiffering = before?.listing === listing && (before.isDiffering || before.digest !== digest);
      tools.delete(key);
      tools.set(key, { digest, listing, isDiffering });
    }
    for (const oldest of tools.keys()) {
      if (tools.size <= defaultLimits.listedToolsPerSessionMax) break;
      tools.delete(oldest);
    }
  }

  of(sessionId: string, server: Server, tool: string): ToolDefinition | undefined {
    const tools = this.#sessions.get(sessionId)?.tools;
    const listed = tools?.get(keyOf(server, tool)) ?? tools?.get(streamKeyOf(server, tool));
    if (listed === undefined) return undefined;
    return listed.isDiffering ? { kind: 'differing' } : { kind: 'listed', digest: listed.digest };
  }

  /** Whether an alarm of this session may be raised now: one a minute says enough. */
  mayAlarm(sessionId: string, nowMs: number): boolean {
    const session = this.#session(sessionId);
    if (nowMs - session.alarmMs < defaultLimits.toolAlarmMs && nowMs >= session.alarmMs) return false;
    session.alarmMs = nowMs;
    return true;
  }

  #session(sessionId: string): Session {
    let session = this.#sessions.get(sessionId);
    if (session === undefined) {
      session = { tools: new Map(), listings: 0, alarmMs: -Infinity };
      this.#sessions.set(sessionId, session);
    }
    return session;
  }
}

interface NotedTool {
  readonly tool: string;
  readonly digest: string;
  readonly listing: number;
}

/** A list on the stream of a GET is known under the server's host too: calls may go to another path of it. */
function keysOf(server: Server, tool: string): readonly string[] {
  return server.method === 'GET' ? [keyOf(server, tool), streamKeyOf(server, tool)] : [keyOf(server, tool)];
}

function keyOf(server: Server, tool: string): string {
  return `${originOf(server)}${server.path} ${tool}`;
}

function streamKeyOf(server: Server, tool: string): string {
  return `${originOf(server)} ${tool}`;
}

function originOf({ destination: { scheme, host, port } }: Server): string {
  return `${scheme}://${host}:${String(port)}`;
}

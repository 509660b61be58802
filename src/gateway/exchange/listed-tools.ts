// How servers of MCP define the tools that rules have pins for, as lists in a session said last: what the session's model reads,
// and what a call is judged by. It is of this gateway and this session alone; a session that goes on elsewhere has to list again.

import { createHash } from 'node:crypto';
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
  /** The last listing of each server, by its origin and path; the oldest first. */
  readonly last: Map<string, number>;
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
  listing(sessionId: string, server: Server, goesOn: boolean): number {
    const session = this.#session(sessionId);
    const { last } = session;
    const key = digestOf([originOf(server), server.path]);
    const before = last.get(key);
    if (!goesOn || before === undefined) session.listings += 1;
    const listing = goesOn && before !== undefined ? before : session.listings;
    last.delete(key);
    last.set(key, listing);
    dropOldest(last);
    return listing;
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
    dropOldest(tools);
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
      session = { tools: new Map(), listings: 0, last: new Map(), alarmMs: -Infinity };
      this.#sessions.set(sessionId, session);
    }
    return session;
  }
}

function dropOldest(known: Map<string, unknown>): void {
  for (const oldest of known.keys()) {
    if (known.size <= defaultLimits.listedToolsPerSessionMax) break;
    known.delete(oldest);
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
  return digestOf([originOf(server), server.path, tool]);
}

function streamKeyOf(server: Server, tool: string): string {
  return digestOf([originOf(server), tool]);
}

/** Keys are kept by the thousand, and a workload chooses how long a path is. */
function digestOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64');
}

function originOf({ destination: { scheme, host, port } }: Server): string {
  return `${scheme}://${host}:${String(port)}`;
}

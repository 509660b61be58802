// The JSON of the session requests between agent and gateway (docs/reference/session-api.md).

import type { ErrorCode } from './error-table.ts';
import { type ProblemDocument, problemDocument } from './problem-document.ts';

/** All endpoints of the gateway stand below this path. */
const basePath = '/v1/code/upstreamproxy';
export const caCertPath = `${basePath}/ca-cert`;
export const sessionPath = `${basePath}/session`;
export const sessionCommitPath = `${basePath}/session/commit`;
export const sessionNarrowPath = `${basePath}/session/narrow`;
export const tunnelPath = `${basePath}/ws`;

/** What the agent could and could not harden, as facts. Unknown facts are absent, never guessed. */
export interface Posture {
  readonly runtime: 'node' | 'bun';
  readonly runtimeVersion: string;
  readonly platform: string;
  /** `PR_GET_DUMPABLE` says 0 after `PR_SET_DUMPABLE`. */
  readonly nondumpable: boolean;
  /** The process was already non-dumpable at exec, so no early-open window existed. */
  readonly execOnly: boolean;
  readonly untraced: boolean;
  readonly coreLimitZero: boolean;
  readonly inspectorClosed: boolean;
  readonly environmentClean: boolean;
  /** The workload is in a jail of its own; which layers hold. */
  readonly jailed: boolean;
  readonly jailLayers?: readonly string[];
  /** The workload has no network but its own, whose one way out is the relay. */
  readonly networkIsolated?: boolean;
  /** What the user keeps from others cannot be had by the workload: measured from its place. */
  readonly filesHidden?: boolean;
  /** Of a session that another one made: whether its command has nothing of the other's. */
  readonly confined?: boolean;
  /** A token that stays good stands where the workload reads it: no agent began the session. */
  readonly tokenInContainer?: boolean;
  /** Where TLS of clients ends on the tunnel with which the session began; unknown when it enrols. */
  readonly tlsEndsIn?: 'agent' | 'gateway';
  readonly uid: number;
  /** One line for each fact that is false: why. */
  readonly notes: readonly string[];
}

export interface PublicJwk {
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
}

/** Body of `POST …/session` with `Authorization: Bearer <session token>` and a DPoP proof. */
export interface EnrolRequest {
  readonly key: PublicJwk;
  readonly posture: Posture;
  /** `session` is what the agent's caller calls the session: a claim, for people who look for it. */
  readonly agent: { readonly version: string; readonly session?: string };
}

/** Body of `POST …/session/narrow` with the access token and a proof of the session that makes another one. */
export interface NarrowRequest {
  readonly key: PublicJwk;
  /** The text of what the new session may at the most, beside what the old one may. */
  readonly policy: string;
  readonly lifetime_ms?: number;
  readonly confined: boolean;
  readonly agent: { readonly version: string; readonly session?: string };
}

/** A key of the gateway that signs commits and tags of the session, as far as rules say. */
export interface SessionSigningKey {
  /** The public half: type and base64. */
  readonly key: string;
  /** What git has signed without being asked to. */
  readonly automatic: readonly ('commit' | 'tag')[];
}

/** Response to enrolment, narrowing and renewal. */
export interface SessionResponse {
  readonly session_id: string;
  readonly access_token: string;
  readonly token_type: 'DPoP';
  readonly expires_in: number;
  /** Environment variables that the workload sees in a credential's place. */
  readonly placeholders: Readonly<Record<string, string>>;
  /** Ports beside 80 and 443 that the policy opens and a capture should listen on. */
  readonly capture_ports: readonly number[];
  /** Tunnel modes that the session may use. */
  readonly modes: readonly string[];
  /** Lines of known_hosts, for servers whose SSH the gateway ends; absent: there are none. */
  readonly known_hosts?: string;
  /** What git can have signed; absent: nothing. */
  readonly signing?: SessionSigningKey;
  /** Clients of SSH can have something signed by an agent; absent: nothing. */
  readonly ssh_agent?: true;
  /** What may sign the gateway's own certificate from now on, PEM: in a rotation the next one too, before it signs. */
  readonly gateway_ca?: string;
  /** Ed25519 keys by one of which the gateway signs what it agrees on for a tunnel: 32 octets each, base64url. */
  readonly link_keys: readonly string[];
}

/** Body of every response of these endpoints that is not a success; the first agents read these members alone. */
export interface SessionProblem {
  readonly error: string;
  readonly message: string;
  readonly trace_id?: string;
}

/** A problem in the form of all, with the members that the first agents read beside it. */
export function sessionProblem(
  code: ErrorCode,
  message: string,
  options: { readonly traceId?: string; readonly status?: number } = {},
): SessionProblem & ProblemDocument {
  return { ...problemDocument(code, message, options), error: code, message };
}

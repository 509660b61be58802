// What there is to a kind of credential. Each is one entry in one file of this folder, and the registry (credential-kinds.ts) has
// all that a kind needs from there: no other file knows which kinds there are.

import type { z } from 'zod';
import type { RequestHead } from '../../../http/message-head.ts';
import type { Secret } from '../../../protocol/secret.ts';
import type { Emulation } from '../emulation/emulations.ts';
import type { BodyFacts } from '../request/body-rewrite.ts';
import type { Injected } from '../request/injected.ts';
import type { CredentialSourceConfig } from '../sources/source-config.ts';
import type { CredentialContext } from './open-source.ts';
import type { SoughtInMessages } from '../request/placeholder-messages.ts';
import type { PlaceholderForm } from './placeholder-form.ts';

/** What every credential has; the secret itself is only ever behind `source`. File paths are absolute. */
export interface CommonSettings {
  /** Absent for a kind that does without one. */
  readonly source?: CredentialSourceConfig | undefined;
  readonly placeholder?: PlaceholderSettings;
  /** `decode`: responses may come encoded, at the cost of decoding them here. */
  readonly scrub?: { readonly decode: boolean };
  /** Fields and parameters by which the client could be somebody else; absent: what the kind has for usual. */
  readonly strip?: { readonly headers?: readonly string[]; readonly parameters?: readonly string[] };
}

/** What the workload sees in a variable of its environment. */
export interface PlaceholderSettings {
  readonly env: string;
  readonly value?: string;
  /** Kind placeholder: whether bodies are searched too. */
  readonly body?: boolean;
  /** Kind placeholder: how many of the first messages of a WebSocket are searched. */
  readonly messages?: number;
}

/** Turns a path of the configuration into an absolute one. */
export type Absolute = (path: string) => string;

/** User and password of a protocol other than HTTP. */
export interface CredentialLogin {
  readonly username: string;
  readonly password: Secret<string>;
  /** What the workload sees in place of the password. */
  readonly placeholder: string;
  /** The server does not take them: values that can be had anew are, for the next one. */
  onRejected(nowMs: number): void;
  /** Until it is let go, a connection goes on that was logged in with them. */
  hold?(): Disposable;
}

/** User and private key of SSH. */
export interface CredentialKey {
  readonly username: string;
  readonly privateKey: Secret<string>;
  /** The server does not take it. */
  onRejected(nowMs: number): void;
}

/** A key that signs commits and tags, and what others know of it. */
export interface SigningCredential {
  readonly privateKey: Secret<string>;
  /** Type and base64, as `publicKey` of the configuration has it. */
  readonly publicKey: string;
}

/** A credential, opened: how it gets its secret, and what it does to a request. */
export interface Credential {
  /** It signs the request as it is sent, so it is put on behind all others of the rule. */
  readonly isLast?: true;
  /** Whether the request is one that gets it. */
  applies(head: RequestHead, body: BodyFacts | undefined): boolean;
  /** `body` is undefined if the request has none, `subject` if it is of no session. @throws ProxyError credential_unavailable */
  apply(head: RequestHead, nowMs: number, body: BodyFacts | undefined, subject?: string): Promise<Injected>;
  /** What responses are searched for where it was not put on: an origin may keep what another request brought. @throws as `apply` */
  values(nowMs: number): Promise<readonly Secret<string>[]>;
  /** What stands in messages of WebSockets in its place, where those are searched. @throws as `apply` */
  inMessages?(nowMs: number): Promise<Omit<SoughtInMessages, 'name'>>;
  /** What it logs in with, where it is of a kind that is put on no request. @throws as `apply` */
  login?(nowMs: number): Promise<CredentialLogin>;
  /** The same, where that is a key. @throws as `apply` */
  key?(nowMs: number): Promise<CredentialKey>;
  /** What libraries of its cloud ask for in the container, where the configuration wants that. */
  readonly emulation?: Emulation;
  /** Nobody uses it any more. */
  close?(): void;
  /** With what commits and tags are signed, where it does nothing else. @throws as `apply` */
  signingKey?(nowMs: number): Promise<SigningCredential>;
  /** The same, of what clients of the agent of SSH ask for. @throws as `apply` */
  agentKey?(nowMs: number): Promise<SigningCredential>;
}

/** What of the client's own goes from requests that get the credential, where `strip` says nothing. */
export interface ForeignDefaults {
  /** `none-beside-it`: the client's own fields are what it is put into, so nothing goes for other credentials of the rule either. */
  readonly what: 'usual' | 'none' | 'none-beside-it';
  /** A field, in lower case, that the kind itself has still to read, and takes off with that. */
  readonly reads?: string;
}

/**
 * `Shape` is what the configuration may say of it beside the common keys, `Own` the same with defaults filled in and paths made
 * absolute. The members are methods, so that one table has all kinds: the registry gives each only what its own schema let through.
 */
export interface CredentialKind<
  Kind extends string = string,
  Shape extends z.ZodRawShape = z.ZodRawShape,
  Own extends object = object,
> {
  readonly kind: Kind;
  /** Where the secret goes, in a few words, for editors. */
  readonly summary: string;
  readonly shape: Shape;
  readonly foreign: ForeignDefaults;
  readonly placeholder: PlaceholderForm;
  /** `source` may be absent. */
  readonly needsNoSource?: true;
  /** It signs what the client signed: nothing of the request can be changed then. */
  readonly signs?: true;
  /** It is put on no request: what is spoken is no HTTP. */
  readonly logsIn?: 'password' | 'key';
  /** It is put on no request: commits and tags are signed with it. */
  readonly signsObjects?: true;
  settings(written: z.infer<z.ZodObject<Shape>>, absolute: Absolute): Own;
  /** The same as `summary` of one credential, for people: where it goes, and nothing of what is secret. */
  where?(config: Own & CommonSettings): string;
  /** `name` is the credential's, for errors. @throws ProxyError config_invalid if a source cannot be opened */
  open(name: string, config: Own & CommonSettings, context: CredentialContext): Credential;
}

/** The kind as it is given, with the types that follow from it. */
export function credentialKind<const Kind extends string, Shape extends z.ZodRawShape, Own extends object>(
  kind: CredentialKind<Kind, Shape, Own>,
): CredentialKind<Kind, Shape, Own> {
  return kind;
}

/** What is said where a key is missing that the kind cannot do without. */
export function needed(kind: string, key: string, hint: string): string {
  return `kind ${kind} needs "${key}"; ${hint}`;
}

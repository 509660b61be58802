// What a server of OAuth hands out: the tokens in a document of JSON or a form, and the same document with something else in their place. Read by
// the readers that take nothing which two readers could read differently; what they do not take is not passed on.

import { Buffer } from 'node:buffer';
import { defaultLimits } from '../../../protocol/limits.ts';
import { JsonObject, type JsonValue, UnreadableBody } from '../../../understand/json-value.ts';
import { readJson } from '../../../understand/read-json.ts';
import { isList, writeJson } from '../../../understand/write-json.ts';
import { readAddress, writeAddress } from './token-address.ts';
import { type FormFields, formOctets, readForm } from './token-form.ts';
import {
  type FoundToken,
  isNextRefresh,
  jsonWebTokenPattern,
  type TokenKind,
  tokenKindOf,
} from './token-members.ts';

export interface TokenDocument {
  readonly tokens: readonly FoundToken[];
  /** What a tool refreshes with next; undefined: the server gives no other one. */
  readonly nextRefresh: string | undefined;
  /** Of the access token, where the server says it. */
  readonly expiresInSeconds: number | undefined;
  /** In lower case. */
  readonly tokenType: string | undefined;
  /** What the server calls what went wrong (RFC 6749 §5.2). */
  readonly error: string | undefined;
  write(placeholderOf: (token: string) => string): Buffer;
}

export interface DocumentBounds {
  readonly tokensMax: number;
  readonly tokenCharactersMax: number;
}

/** A shorter text is none: responses that are searched for it would be nothing but marks. */
const tokenCharactersMin = 8;
const jsonBounds = { depthMax: 16, valuesMax: 4_096 };

/** `isError`: a `code` in it says what went wrong. */
export interface ReadTokensOptions extends DocumentBounds {
  readonly form: 'json' | 'form';
  readonly isError: boolean;
  /** What is known to be a token, under whatever name it comes back. */
  readonly known: ReadonlyMap<string, TokenKind>;
}

export function readTokens(octets: Uint8Array, options: ReadTokensOptions): TokenDocument | UnreadableBody {
  return options.form === 'json' ? ofJson(octets, options) : ofForm(octets, options);
}

function ofJson(octets: Uint8Array, options: ReadTokensOptions): TokenDocument | UnreadableBody {
  const text = readJson(octets, jsonBounds);
  if (text instanceof UnreadableBody) return text;
  const { value } = text;
  const search = new TokenSearch(options);
  search.see('', value);
  if (search.fault !== undefined) return search.fault;
  const member = (name: string): JsonValue | undefined =>
    value instanceof JsonObject ? value.members.get(name) : undefined;
  const write: TokenDocument['write'] = (placeholderOf) =>
    Buffer.from(writeJson(search.written('', value, placeholderOf)));
  return { tokens: search.tokens, nextRefresh: search.nextRefresh, ...factsOf(member), write };
}

function ofForm(octets: Uint8Array, options: ReadTokensOptions): TokenDocument | UnreadableBody {
  const fields = readForm(octets, defaultLimits.insideFieldsMax);
  if (fields instanceof UnreadableBody) return fields;
  const search = new TokenSearch(options);
  for (const [name, value] of fields) search.see(name, value);
  if (search.fault !== undefined) return search.fault;
  const write: TokenDocument['write'] = (placeholderOf) =>
    formOctets(replaced(fields, (name, value) => String(search.written(name, value, placeholderOf))));
  return {
    tokens: search.tokens,
    nextRefresh: search.nextRefresh,
    ...factsOf((name) => fields.get(name)),
    write,
  };
}

function replaced(fields: FormFields, to: (name: string, value: string) => string): FormFields {
  return new Map([...fields].map(([name, value]) => [name, to(name, value)]));
}

function factsOf(
  member: (name: string) => JsonValue | undefined,
): Pick<TokenDocument, 'expiresInSeconds' | 'tokenType' | 'error'> {
  const expires = Number(member('expires_in') ?? Number.NaN);
  const [type, error] = [member('token_type'), member('error')];
  return {
    expiresInSeconds: Number.isFinite(expires) && expires >= 0 ? expires : undefined,
    tokenType: typeof type === 'string' ? type.toLowerCase() : undefined,
    error: typeof error === 'string' ? error : undefined,
  };
}

/** What of a document is a token, by the name above it; seen and written in the same way. */
class TokenSearch {
  readonly #options: ReadTokensOptions;
  readonly #tokens = new Map<string, TokenKind>();
  fault: UnreadableBody | undefined;
  /** The last one that has the name itself. */
  nextRefresh: string | undefined;

  constructor(options: ReadTokensOptions) {
    this.#options = options;
  }

  get tokens(): readonly FoundToken[] {
    return [...this.#tokens].map(([value, kind]) => ({ kind, value }));
  }

  see(name: string, value: JsonValue): void {
    if (value instanceof JsonObject) {
      for (const [own, member] of value.members) this.see(own, member);
    } else if (isList(value)) {
      for (const one of value) this.see(name, one);
    } else if (typeof value === 'string') this.#seeText(name, value);
    else if (typeof value !== 'boolean' && value !== null && this.#kindOf(name) !== undefined)
      this.fault ??= new UnreadableBody(
        `has a number where a token stands (${JSON.stringify(name.slice(0, 40))})`,
      );
  }

  written(name: string, value: JsonValue, placeholderOf: (token: string) => string): JsonValue {
    if (value instanceof JsonObject)
      return new JsonObject(
        new Map([...value.members].map(([own, member]) => [own, this.written(own, member, placeholderOf)])),
      );
    if (isList(value)) return value.map((one) => this.written(name, one, placeholderOf));
    if (typeof value !== 'string') return value;
    if (this.#tokenIn(name, value) !== undefined) return placeholderOf(value);
    const address = readAddress(value);
    return address === undefined ? value : writeAddress(address, placeholderOf);
  }

  #seeText(name: string, value: string): void {
    const kind = this.#tokenIn(name, value);
    if (kind !== undefined) this.#take(name, kind, value);
    else for (const found of readAddress(value)?.tokens ?? []) this.#take(name, found.kind, found.value);
  }

  /** Undefined: it passes as it is. */
  #tokenIn(name: string, value: string): TokenKind | undefined {
    if (value === '') return undefined;
    const known = this.#options.known.get(value);
    return known ?? this.#kindOf(name) ?? (jsonWebTokenPattern.test(value) ? 'other' : undefined);
  }

  #kindOf(name: string): TokenKind | undefined {
    if (name.toLowerCase() === 'code') return this.#options.isError ? undefined : 'code';
    return tokenKindOf(name);
  }

  #take(name: string, kind: TokenKind, value: string): void {
    const { tokensMax, tokenCharactersMax } = this.#options;
    const shown = JSON.stringify(name.slice(0, 40));
    if (value.length > tokenCharactersMax)
      this.fault ??= new UnreadableBody(
        `has a token of more than ${String(tokenCharactersMax)} characters in ${shown}`,
      );
    // RFC 6749 appendix A: a token is of printable ASCII.
    else if (value.length < tokenCharactersMin || !/^[\x21-\x7e]+$/.test(value))
      this.fault ??= new UnreadableBody(`has a text in ${shown} that cannot be a token`);
    else if (!this.#tokens.has(value) && this.#tokens.size >= tokensMax)
      this.fault ??= new UnreadableBody(`has more than ${String(tokensMax)} tokens`);
    else {
      this.#tokens.set(value, this.#tokens.get(value) ?? kind);
      if (isNextRefresh(name)) this.nextRefresh = value;
    }
  }
}

// The parser of PostgreSQL itself (libpg_query) on one statement, or on several of one message. It runs on a thread of its own alone.

import load, { type PgQueryModule } from 'libpg-query/wasm/libpg-query.js';
import { factsOf, type StatementFacts } from './statement-facts.ts';

export type StatementReading =
  | ({ readonly kind: 'read'; readonly fingerprint: string } & StatementFacts)
  /** The text is for the client, and has nothing of the statement. */
  | { readonly kind: 'unreadable'; readonly reason: string };

/** Octets of a stretch of memory that parsed something large: another one is begun then. */
const memoryBytesKept = 64 * 1024 * 1024;

export class StatementParser {
  readonly #code: WebAssembly.Module;
  #module: PgQueryModule | undefined;

  constructor(code: WebAssembly.Module) {
    this.#code = code;
  }

  async parse(statement: Uint8Array): Promise<StatementReading> {
    const module = (this.#module ??= await instantiate(this.#code));
    try {
      const reading = parseWith(module, statement);
      if (module.HEAPU8.length > memoryBytesKept) this.#module = undefined;
      return reading;
    } catch {
      // Too deep, or out of memory: nothing says in which state it was left.
      this.#module = undefined;
      return { kind: 'unreadable', reason: 'it is nested too deeply, or too large to be read' };
    }
  }
}

async function instantiate(code: WebAssembly.Module): Promise<PgQueryModule> {
  return await load({
    instantiateWasm: (imports, done) => {
      done(new WebAssembly.Instance(code, imports));
    },
  });
}

function parseWith(module: PgQueryModule, statement: Uint8Array): StatementReading {
  const pointer = module._malloc(statement.length + 1);
  if (pointer === 0) throw new Error('no memory');
  try {
    module.HEAPU8.set(statement, pointer);
    module.HEAPU8[pointer + statement.length] = 0;
    const tree = treeOf(module, pointer);
    if (tree === undefined)
      return { kind: 'unreadable', reason: 'it is no SQL that the parser of PostgreSQL 18 reads' };
    const fingerprint = fingerprintOf(module, pointer);
    return { kind: 'read', fingerprint, ...factsOf(JSON.parse(tree)) };
  } finally {
    module._free(pointer);
  }
}

/** Undefined: a syntax error. */
function treeOf(module: PgQueryModule, statement: number): string | undefined {
  const result = module._wasm_parse_query_raw(statement);
  if (result === 0) throw new Error('no memory');
  try {
    // PgQueryParseResult: the tree, what was written to stderr, and the error.
    const [tree, error] = [module.getValue(result, 'i32'), module.getValue(result + 8, 'i32')];
    return error === 0 && tree !== 0 ? module.UTF8ToString(tree) : undefined;
  } finally {
    module._wasm_free_parse_result(result);
  }
}

function fingerprintOf(module: PgQueryModule, statement: number): string {
  const result = module._wasm_fingerprint(statement);
  if (result === 0) throw new Error('no memory');
  const text = module.UTF8ToString(result);
  module._wasm_free_string(result);
  // Or it says what went wrong, in words that may repeat the statement.
  if (!/^[0-9a-f]{16}$/.test(text)) throw new Error('no fingerprint');
  return text;
}

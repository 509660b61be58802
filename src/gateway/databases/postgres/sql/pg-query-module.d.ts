// What is used of libpg_query as the package `libpg-query` has it for WebAssembly: that module itself, which takes the compiled code from
// whoever loads it. The package's own entry looks for a file beside itself, and a single file has none.

declare module 'libpg-query/wasm/libpg-query.js' {
  export interface PgQueryModule {
    readonly HEAPU8: Uint8Array;
    _malloc(octets: number): number;
    _free(pointer: number): void;
    _wasm_parse_query_raw(statement: number): number;
    _wasm_free_parse_result(result: number): void;
    _wasm_fingerprint(statement: number): number;
    _wasm_free_string(text: number): void;
    getValue(pointer: number, type: 'i32'): number;
    UTF8ToString(pointer: number): string;
  }

  export interface PgQueryOptions {
    instantiateWasm(imports: WebAssembly.Imports, done: (instance: WebAssembly.Instance) => void): void;
  }

  export default function load(options: PgQueryOptions): Promise<PgQueryModule>;
}

/** What is used of it; the types of Node have none of it, and those of browsers more than a gateway has. */
declare namespace WebAssembly {
  type Imports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  interface Module {
    readonly [Symbol.toStringTag]: 'WebAssembly.Module';
  }
  interface Instance {
    readonly exports: Readonly<Record<string, unknown>>;
  }
  const Instance: new (module: Module, imports: Imports) => Instance;
  function compile(code: Uint8Array): Promise<Module>;
}

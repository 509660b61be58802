// What is used of the package `quickjs-wasi`. Its own types need those of browsers.

declare module 'quickjs-wasi' {
  export interface JSValueHandle {
    readonly isUndefined: boolean;
    readonly isNull: boolean;
    getProp(key: string): JSValueHandle;
    toString(): string;
  }

  export interface QuickJSOptions {
    readonly wasm: WebAssembly.Module;
    readonly memoryLimit: number;
    readonly maxStackSize: number;
  }

  export class QuickJS {
    static create(options: QuickJSOptions): Promise<QuickJS>;
    readonly global: JSValueHandle;
    readonly undefined: JSValueHandle;
    readonly null: JSValueHandle;
    evalCode(code: string, filename?: string): JSValueHandle;
    callFunction(
      called: JSValueHandle,
      self: JSValueHandle,
      ...args: readonly JSValueHandle[]
    ): JSValueHandle;
    newFunction(name: string, called: (...args: readonly JSValueHandle[]) => JSValueHandle): JSValueHandle;
    newString(text: string): JSValueHandle;
    newNumber(value: number): JSValueHandle;
    typeof(handle: JSValueHandle): string;
    withScope<Result>(run: () => Result): Result;
  }
}

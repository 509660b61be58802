// What a thread of one of our modules runs: the module itself, or in a single file the whole program, where no module has an address.

/** Members of a thread's data that say whose it is, so that a module does nothing in the threads of others. */
export const auditWriterMarker = 'upstreamproxy-audit-writer';
export const statementThreadMarker = 'upstreamproxy-statement-thread';
export const policyThreadMarker = 'upstreamproxy-policy-thread';
export const pacThreadMarker = 'upstreamproxy-pac-thread';

/** The address that the build gives all modules of a single file (scripts/release/single-file.ts). */
const singleFileUrl = 'file:///';

/** The main script of the single file, which is stored in it beside the program that it starts. */
const singleFileThread =
  "require('node:vm').runInThisContext('(function (require) {' + require('node:sea').getAsset('loader', 'utf8') + '\\n})')(require)";

/** For the first argument of `Worker`, and its option `eval`. The thread finds its part by its `workerData`. */
export function threadProgram(moduleUrl: string): { readonly program: string; readonly isText: boolean } {
  if (moduleUrl === singleFileUrl) return { program: singleFileThread, isText: true };
  return { program: moduleUrl, isText: false };
}

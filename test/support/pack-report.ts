// What `npm pack --json` says of the archive that it made.

export interface PackReport {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** @param output of the whole command: what builds print stands before the report, brackets among it */
export function readPackReport(output: string): PackReport {
  const [report] = JSON.parse(output.slice(output.search(/^\[$/m))) as readonly PackReport[];
  if (report === undefined) throw new Error('npm pack says of no archive that it was made');
  return report;
}

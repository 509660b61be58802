// wget: one file by WGETRC, which takes the place of ~/.wgetrc.

/** The user's own lines first: in them what is repeated later does not count any more. */
export function wgetrc(bundle: string, own: string | undefined): string {
  const lines = own === undefined || own === '' ? '' : `${own.trimEnd()}\n`;
  return `${lines}# Written by upstreamproxy for one session.\nca_certificate = ${bundle}\n`;
}

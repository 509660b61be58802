// Copying by the clipboard of the page, where it has one: outside of secure origins browsers give none.

/** Gives what to say of it: that `what` was copied, or why not. */
export async function copyText(
  text: string,
  what: string,
  clipboard: Pick<Clipboard, 'writeText'> | undefined,
): Promise<string> {
  if (clipboard === undefined)
    return 'Not copied: the browser gives pages a clipboard over HTTPS and on localhost alone.';
  try {
    await clipboard.writeText(text);
    return `Copied ${what}`;
  } catch {
    return 'Not copied: the browser does not let this page copy.';
  }
}

/** Undefined outside of secure origins, whatever its type says. */
export function pageClipboard(): Pick<Clipboard, 'writeText'> | undefined {
  return 'clipboard' in navigator ? navigator.clipboard : undefined;
}

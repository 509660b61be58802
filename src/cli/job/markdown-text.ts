// Text of strangers in Markdown, as GitHub and GitLab show it: it is seen as it is, and is no mark, link, mention or HTML.

import { printableText } from '../terminal/text-table.ts';

/** For a cell or a sentence. Everything but letters, digits and blanks by its number, which ends every meaning and is shown as what it is. */
export function markdownText(text: string): string {
  return printableText(text).replaceAll(/[^A-Za-z0-9 ]/g, (mark) => `&#${mark.charCodeAt(0)};`);
}

/** The same in the type of code. */
export function markdownCode(text: string): string {
  return `<code>${markdownText(text)}</code>`;
}

/** A block of code, in a fence that is longer than any in the text. */
export function markdownBlock(text: string, language: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([marks]) => marks.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}${language}\n${text.endsWith('\n') ? text : `${text}\n`}${fence}\n`;
}

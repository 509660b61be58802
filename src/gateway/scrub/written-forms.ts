// How servers write a text into JSON, queries and HTML. A token of letters and digits is the same in all of them; a
// password, and the characters + / = of Base64, are not.

type Names = Readonly<Record<string, string>>;

const angles: Names = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
/** What libraries escape beside `& < >`, and how: they differ in quotes most. */
const htmlNames: readonly Names[] = [
  { ...angles, '"': '&quot;' },
  { ...angles, '"': '&quot;', "'": '&#39;' },
  { ...angles, '"': '&quot;', "'": '&#039;' },
  { ...angles, '"': '&quot;', "'": '&#x27;' },
  { ...angles, '"': '&quot;', "'": '&apos;' },
  { ...angles, '"': '&#34;', "'": '&#39;' },
  { ...angles, '"': '&#34;', "'": '&#39;', '+': '&#43;' },
  { ...angles, '"': '&quot;', "'": '&#39;', '/': '&#x2F;', '`': '&#x60;', '=': '&#x3D;' },
  { ...angles, '"': '&quot;', "'": '&#x27;', '`': '&#x60;', '=': '&#x3D;' },
  { ...angles, '"': '&quot;', "'": '&#x27;', '+': '&#x2B;', '`': '&#x60;' },
];
/** What is written as `\uXXXX` although JSON does not ask for it. */
const jsonEscapes: readonly RegExp[] = [/[&<>]/g, /[&<>']/g, /[&<>=']/g, /[\u0080-\uffff]/g];
/** .NET writes its escapes in upper case, also of what others write behind a backslash. */
const dotNetEscapes = /["&'+<>`]|[\u0080-\uffff]/g;

/** The text as it may stand in a response, also unchanged; every form once. */
export function writtenForms(text: string): ReadonlySet<string> {
  const json = JSON.stringify(text).slice(1, -1);
  const escaped = [
    json,
    ...jsonEscapes.map((characters) => json.replaceAll(characters, unicodeEscape)),
    text.replaceAll('\\', '\\\\').replaceAll(dotNetEscapes, upperCaseEscape),
  ];
  const percent = [
    encodeURIComponent(text),
    strictly(encodeURIComponent(text)),
    formText(text),
    encodeURI(text),
  ];
  return new Set([
    text,
    ...escaped,
    ...escaped.map((one) => one.replaceAll('/', '\\/')),
    ...percent,
    ...percent.map((one) => one.replaceAll(/%../g, (escape) => escape.toLowerCase())),
    ...htmlNames.map((names) =>
      text.replaceAll(/[&<>"'+/`=]/g, (character) => names[character] ?? character),
    ),
  ]);
}

function unicodeEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function upperCaseEscape(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
}

/** RFC 3986 §2.2 reserves these too. */
function strictly(encoded: string): string {
  return encoded.replaceAll(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function formText(text: string): string {
  return new URLSearchParams({ x: text }).toString().slice('x='.length);
}

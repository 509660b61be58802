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
  return new Set([
    text,
    ...escaped,
    ...escaped.map((one) => one.replaceAll('/', '\\/')),
    ...percentForms(text),
    javaScriptEscape(text),
    lowerCaseEscapes(javaScriptEscape(text)),
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

/** What writers of percent-encoding leave as it is beside letters and digits, and whether a space becomes a plus. */
const percentWriters: readonly { readonly plain: string; readonly plus?: true }[] = [
  // RFC 3986 §2.3 to the letter: Python's quote with safe='', PHP's rawurlencode, .NET's EscapeDataString.
  { plain: '-._~' },
  // Python's quote_plus, Go's QueryEscape.
  { plain: '-._~', plus: true },
  // Python's quote.
  { plain: '-._~/' },
  // JavaScript's encodeURIComponent.
  { plain: "-._~!'()*" },
  // JavaScript's encodeURI; with brackets where they are left alone, too.
  { plain: "-._~!'()*;,/?:@&=+$#" },
  { plain: "-._~!'()*;,/?:@&=+$#[]" },
  // Forms of browsers (URLSearchParams), Java's URLEncoder.
  { plain: '-._*', plus: true },
  // PHP's urlencode.
  { plain: '-._', plus: true },
  // .NET's UrlEncode.
  { plain: '-._!*()', plus: true },
  // Go's PathEscape, and the path of its URL.
  { plain: '-._~$&+:=@' },
  { plain: '-._~$&+,/:;=@' },
  // Paths as RFC 3986 §3.3 lets them be.
  { plain: "-._~!$&'()*+,;=:@" },
  { plain: "-._~!$&'()*+,;=:@/" },
  // The message of gRPC.
  { plain: ' !"#$&\'()*+,-./:;<=>?@[\\]^_`{|}~' },
];

/** The text percent-encoded, with digits in upper and in lower case. */
export function percentForms(text: string): ReadonlySet<string> {
  const forms = new Set<string>();
  for (const { plain, plus } of percentWriters) {
    const form = percentEncoded(text, plain, plus === true ? '+' : '%20');
    forms.add(form).add(lowerCaseEscapes(form));
  }
  return forms;
}

function percentEncoded(text: string, plain: string, space: string): string {
  let form = '';
  for (const octet of new TextEncoder().encode(text)) {
    const character = String.fromCharCode(octet);
    if (/[A-Za-z0-9]/.test(character) || plain.includes(character)) form += character;
    else form += octet === 0x20 ? space : `%${octet.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return form;
}

/** JavaScript's `escape`: Latin-1, and UTF-16 beyond it. */
function javaScriptEscape(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9@*_+\-./]/g, (character) => {
    const code = character.charCodeAt(0);
    const hex = code.toString(16).toUpperCase();
    return code < 0x100 ? `%${hex.padStart(2, '0')}` : `%u${hex.padStart(4, '0')}`;
  });
}

function lowerCaseEscapes(form: string): string {
  return form.replaceAll(/%u....|%../g, (escape) => escape.toLowerCase());
}

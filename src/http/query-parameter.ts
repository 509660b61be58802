// One parameter of a query, changed without touching the bytes of the others.

/** The query (with its `?`, or empty) without every parameter of that name, however the name is encoded. */
export function withoutParameter(query: string, name: string): string {
  const kept = parametersOf(query).flatMap((parameter) => withoutPart(parameter, name));
  return kept.length === 0 ? '' : `?${kept.join('&')}`;
}

/** To some origins a semicolon separates parameters as well (HTML 4.01 appendix B.2.2). */
function withoutPart(parameter: string, name: string): readonly string[] {
  const parts = parameter.split(';');
  const kept = parts.filter((part) => parameterName(part) !== name);
  if (kept.length === parts.length) return [parameter];
  return kept.length === 0 ? [] : [kept.join(';')];
}

/** The query with this one parameter at the end, in the place of all others of its name. */
export function withParameter(query: string, name: string, value: string): string {
  const rest = withoutParameter(query, name);
  return `${rest === '' ? '?' : `${rest}&`}${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
}

/** As a form decodes it: `+` is a space. Text that is no valid encoding stays as it is. */
export function decodeParameter(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

function parametersOf(query: string): readonly string[] {
  return query.length < 2 ? [] : query.slice(1).split('&');
}

function parameterName(parameter: string): string {
  const equals = parameter.indexOf('=');
  return decodeParameter(equals === -1 ? parameter : parameter.slice(0, equals));
}

declare module '*.css';

/** A file as text, put into the page by the build. */
declare module '*.json?raw' {
  const text: string;
  export default text;
}

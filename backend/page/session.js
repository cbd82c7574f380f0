'use strict';
// The key of the session, as the redirect from the address with the token gives it: kept where only pages of this
// host and port can read it, and sent with requests that change something.
if (location.hash.startsWith('#key=')) {
  localStorage.setItem('sheetrack-key', location.hash.slice('#key='.length));
  history.replaceState(null, '', location.pathname);
}

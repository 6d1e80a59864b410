// The inbox page's own script: live updates and keyboard. Needs app.js on the same page.

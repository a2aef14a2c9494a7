// Not a module: browsers run none in a page that was opened as a file, so none could say this.
document.getElementById("opened-as-file").hidden = location.protocol !== "file:";
